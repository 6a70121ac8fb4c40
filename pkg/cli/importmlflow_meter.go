package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tasador/pkg/mlflowimport"
)

// importMeter shows how far the import of a server is: as a bar on a terminal, as lines elsewhere.
type importMeter struct {
	w        io.Writer
	terminal bool
	start    time.Time
	bar      *progressbar.ProgressBar
	next     time.Time
	line     string // that was not written yet
}

func newImportMeter(w io.Writer) *importMeter {
	file, ok := w.(*os.File)
	now := time.Now()
	return &importMeter{w: w, terminal: ok && term.IsTerminal(int(file.Fd())), start: now, next: now.Add(meterEvery)}
}

func (m *importMeter) tell(p mlflowimport.Progress) {
	text := fmt.Sprintf("%d runs, %d points, %d files of %.1f MB", p.Runs, p.Points, p.Files, float64(p.Bytes)/1e6)
	if m.terminal {
		if m.bar == nil {
			m.bar = newBar(m.w, int64(p.Total), "importing")
		}
		m.bar.ChangeMax(p.Total)
		_ = m.bar.Set(p.Done) // a bar that cannot be drawn is no reason to stop
		m.bar.Describe("importing  " + text + " ")
		return
	}
	m.line = fmt.Sprintf("%d of %d things looked at: %s copied\n", p.Done, p.Total, text)
	if now := time.Now(); now.After(m.next) {
		m.next = now.Add(meterEvery)
		m.writeLine()
	}
}

func (m *importMeter) writeLine() {
	_, _ = io.WriteString(m.w, m.line) // nobody may read it
	m.line = ""
}

// end shows how far it came at last.
func (m *importMeter) end() {
	if m.bar != nil {
		endBar(m.bar, m.w)
		return
	}
	m.writeLine()
}

func (m *importMeter) elapsed() time.Duration { return time.Since(m.start) }
