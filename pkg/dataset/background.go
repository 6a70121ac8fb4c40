package dataset

import "tasador/pkg/property"

// BackgroundProfiler profiles rows in a goroutine of its own, beside the one that reads them, a chunk of them at a time. Its caller
// must call Wait at the end, also after a failure.
type BackgroundProfiler struct {
	profiler *Profiler
	rows     []profiledRow // that are not handed over yet
	full     chan []profiledRow
	empty    chan []profiledRow
	done     chan struct{} // closed when the goroutine has ended; nil once it was waited for
}

// profiledRow is a row on its way.
type profiledRow struct {
	listing property.Listing
	wrong   columnSet
}

const (
	chunkRows = 256
	chunks    = 3 // one is filled, one is profiled, one waits
)

// InBackground lets a goroutine add rows to the profiler, which is left alone until Wait.
func (p *Profiler) InBackground() *BackgroundProfiler {
	b := &BackgroundProfiler{
		profiler: p, rows: make([]profiledRow, 0, chunkRows),
		full: make(chan []profiledRow, chunks), empty: make(chan []profiledRow, chunks), done: make(chan struct{}),
	}
	for range chunks - 1 {
		b.empty <- make([]profiledRow, 0, chunkRows)
	}
	go b.run()
	return b
}

func (b *BackgroundProfiler) run() {
	defer close(b.done)
	for rows := range b.full {
		for i := range rows {
			b.profiler.add(&rows[i].listing, rows[i].wrong)
		}
		b.empty <- rows[:0]
	}
}

// Add is Profiler.Add; it copies the row.
func (b *BackgroundProfiler) Add(l *property.Listing, wrongTyped ...string) {
	b.rows = append(b.rows, profiledRow{*l, columnsOf(wrongTyped)})
	if len(b.rows) == chunkRows {
		b.full <- b.rows
		b.rows = <-b.empty
	}
}

// Wait waits until all rows are added and returns the profiler. No row is added after it.
func (b *BackgroundProfiler) Wait() *Profiler {
	if b.done != nil {
		b.full <- b.rows
		close(b.full)
		<-b.done
		b.done = nil
	}
	return b.profiler
}
