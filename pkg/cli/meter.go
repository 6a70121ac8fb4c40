package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meterEvery is how often a meter writes a line where there is no terminal to draw a bar on.
const meterEvery = 2 * time.Second

// meter shows how many rows of a file are stored, how fast, and how long the rest will take: as a bar on a terminal, as lines elsewhere.
type meter struct {
	w        io.Writer
	terminal bool
	start    time.Time
	bar      *progressbar.ProgressBar
	first    mark // where this call began: not much else may have been done by an earlier one
	begun    bool
	next     time.Time
	line     string // that was not written yet
}

// mark is how far a file is.
type mark struct {
	rows int
	done int64
	at   time.Time
}

func newMeter(w io.Writer) *meter {
	file, ok := w.(*os.File)
	now := time.Now()
	return &meter{w: w, terminal: ok && term.IsTerminal(int(file.Fd())), start: now, next: now.Add(meterEvery)}
}

// tell takes how many rows are stored, and how much of the file is read.
func (m *meter) tell(rows int, done, total int64) {
	now := time.Now()
	if !m.begun {
		m.begun, m.first = true, mark{rows, done, now}
	}
	if m.terminal {
		m.draw(rows, done, total, now)
		return
	}
	m.line = fmt.Sprintf("%d rows stored, %d %%%s\n", rows, percent(done, total), m.rest(rows, done, total, now))
	if now.After(m.next) {
		m.next = now.Add(meterEvery)
		m.writeLine()
	}
}

func (m *meter) writeLine() {
	_, _ = io.WriteString(m.w, m.line) // nobody may read it
	m.line = ""
}

// rest says the rate and the time left, as far as they can be known.
func (m *meter) rest(rows int, done, total int64, now time.Time) string {
	took := now.Sub(m.first.at).Seconds()
	if took <= 0 {
		return ""
	}
	text := fmt.Sprintf(", %.0f rows/s", float64(rows-m.first.rows)/took)
	if read := done - m.first.done; read > 0 {
		left := time.Duration(took * float64(total-done) / float64(read) * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

func percent(done, total int64) int64 {
	if total == 0 {
		return 100
	}
	return 100 * done / total
}

func (m *meter) draw(rows int, done, total int64, now time.Time) {
	if m.bar == nil {
		m.bar = newBar(m.w, total, "importing")
	}
	_ = m.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
	m.bar.Describe(fmt.Sprintf("importing  %d rows%s ", rows, m.rest(rows, done, total, now)))
}

// end shows how far it came at last.
func (m *meter) end() {
	if m.bar != nil {
		endBar(m.bar, m.w)
		return
	}
	m.writeLine()
}

// elapsed is the time since the meter was made.
func (m *meter) elapsed() time.Duration { return time.Since(m.start) }
