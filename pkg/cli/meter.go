package cli

import (
	"fmt"
	"io"
	"time"
)

// meter shows how many rows of a file are stored, how fast, and how long the rest will take.
type meter struct {
	display
	first mark // where this call began: not much else may have been done by an earlier one
	begun bool
}

// mark is how far a file is.
type mark struct {
	rows int
	done int64
	at   time.Time
}

func newMeter(w io.Writer) *meter { return &meter{display: newDisplay(w, "importing")} }

// tell takes how many rows are stored, and how much of the file is read.
func (m *meter) tell(rows int, done, total int64) {
	now := time.Now()
	if !m.begun {
		m.begun, m.first = true, mark{rows, done, now}
	}
	if m.terminal {
		m.draw(done, total, fmt.Sprintf("%d rows%s", rows, m.rest(rows, done, total, now)))
		return
	}
	m.say(fmt.Sprintf("%d rows stored, %d %%%s\n", rows, percent(done, total), m.rest(rows, done, total, now)))
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
