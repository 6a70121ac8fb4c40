package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// displayEvery is how often a display writes a line where there is no terminal to draw a bar on.
const displayEvery = 2 * time.Second

// display is where a meter shows how far something is: a bar on a terminal, a line now and then elsewhere.
type display struct {
	w        io.Writer
	verb     string // what is done, as importing
	terminal bool
	start    time.Time
	bar      *progressbar.ProgressBar
	next     time.Time
	line     string // that was not written yet
}

func newDisplay(w io.Writer, verb string) display {
	file, ok := w.(*os.File)
	now := time.Now()
	return display{w: w, verb: verb, terminal: ok && term.IsTerminal(int(file.Fd())), start: now, next: now.Add(displayEvery)}
}

// draw moves the bar, with a text before it.
func (d *display) draw(done, total int64, text string) {
	if d.bar == nil {
		d.bar = newBar(d.w, total, d.verb)
	}
	d.bar.ChangeMax64(total)
	_ = d.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
	d.bar.Describe(d.verb + "  " + text + " ")
}

// say writes a line, if it is time for one; else it is kept for the end.
func (d *display) say(line string) {
	d.line = line
	if now := time.Now(); now.After(d.next) {
		d.next = now.Add(displayEvery)
		d.writeLine()
	}
}

func (d *display) writeLine() {
	_, _ = io.WriteString(d.w, d.line) // nobody may read it
	d.line = ""
}

// end shows how far it came at last.
func (d *display) end() {
	if d.bar != nil {
		endBar(d.bar, d.w)
		return
	}
	d.writeLine()
}

// elapsed is the time since the display was made.
func (d *display) elapsed() time.Duration { return time.Since(d.start) }
