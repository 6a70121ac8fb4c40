package serving

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
)

const (
	chunkSize  = 128 << 10 // bytes read at once; more than maxRow
	maxIgnored = 32        // names that are told of those that no field has
)

// batch is one request for the prices of a stream of listings. One goroutine reads and cuts it into chunks of whole rows, several answer chunks, one puts the
// answers in order, and the one that serves the request gives them to the client. All chunks that there are go round between them.
type batch struct {
	role    *role
	cutter  cutter
	reader  rowReader
	writer  rowWriter
	version *version
	asOf    time.Time
	now     time.Time
	record  bool
	out     *outlet
	tell    teller
	summary Summary
	broken  error // why the rows after the last one were not read
}

// chunk is some rows on their way.
type chunk struct {
	data  []byte
	rows  []span
	first int   // number of its first row, from 1
	err   error // why nothing can be read behind it

	out        []byte
	ok, failed int
	unknown    []string
	done       chan struct{} // takes one when it is answered
}

// run reads body to its end and writes all answers to b.out. What ends the stream early is told there, too.
func (b *batch) run(ctx context.Context, body io.Reader) {
	workers := runtime.GOMAXPROCS(0)
	free := make(chan *chunk, 2*workers)
	for range cap(free) {
		free <- &chunk{done: make(chan struct{}, 1)}
	}
	work, ordered := make(chan *chunk, cap(free)), make(chan *chunk, cap(free))
	var group errgroup.Group
	group.Go(func() error {
		defer close(ordered)
		defer close(work)
		return b.read(ctx, body, free, work, ordered)
	})
	for range workers {
		group.Go(func() error {
			w := worker{batch: b}
			for c := range work {
				w.answer(ctx, c)
				c.done <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error { return b.emit(ctx, ordered, free) })
	if err := group.Wait(); err != nil {
		b.out.fail(err)
		return
	}
	b.out.finish()
}

// read cuts the body into chunks. Its error is ctx's.
func (b *batch) read(ctx context.Context, body io.Reader, free <-chan *chunk, work, ordered chan<- *chunk) error {
	var rest []byte // of a row that is not whole
	row := 1
	for {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.data == nil {
			c.data = make([]byte, 0, chunkSize)
		}
		c.err, c.rows = nil, c.rows[:0]
		for len(c.rows) == 0 && c.err == nil {
			c.data = append(c.data[:0], rest...)
			n, err := body.Read(c.data[len(c.data):cap(c.data)])
			c.data = c.data[:len(c.data)+n]
			rows, taken, problem := b.cutter.cut(c.data, errors.Is(err, io.EOF), c.rows)
			c.rows, rest = rows, append(rest[:0], c.data[taken:]...)
			if c.err = problem; problem == nil {
				c.err = err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		ended := c.err != nil
		if errors.Is(c.err, io.EOF) {
			c.err = nil
		}
		c.first = row
		row += len(c.rows)
		ordered <- c
		work <- c
		if ended {
			return nil
		}
	}
}

// emit puts the answers in order.
func (b *batch) emit(ctx context.Context, ordered <-chan *chunk, free chan<- *chunk) error {
	begun := false
	for c := range ordered {
		<-c.done
		if c.err != nil && !begun && len(c.rows) == 0 {
			return c.err
		}
		if !begun {
			if _, err := b.out.Write(b.writer.head(nil)); err != nil {
				return err
			}
			begun = true
		}
		if _, err := b.out.Write(c.out); err != nil {
			return err
		}
		b.count(c)
		free <- c
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := b.out.Write(b.writer.tail(nil, &b.summary))
	return err
}

func (b *batch) count(c *chunk) {
	s := &b.summary
	s.Rows, s.OK, s.Failed = s.Rows+len(c.rows), s.OK+c.ok, s.Failed+c.failed
	for _, name := range c.unknown {
		s.Ignored = addName(s.Ignored, name)
	}
	if c.err != nil {
		b.broken, s.Error = c.err, b.tell.ended(c.err)
	}
	b.role.metrics.batchRows(c.ok, c.failed)
}

// addName adds a name to a short list without doubles.
func addName(names []string, name string) []string {
	if len(names) >= maxIgnored || len(name) > maxText || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// worker answers chunks, one after the other.
type worker struct {
	batch    *batch
	question question
	requests []request
	rowOf    []int // of every request, its row in the chunk
	prices   []float64
	problems [][]fieldError // of every row
}

// answer writes the answers to the rows of a chunk to its out.
func (w *worker) answer(ctx context.Context, c *chunk) {
	text := string(c.data) // the texts of the listings are parts of it
	w.read(c, text)
	w.prices = append(w.prices[:0], make([]float64, len(c.rows))...)
	for from := 0; from < len(w.requests); {
		to := len(w.requests)
		if w.batch.record { // the numbers of recorded rows are those of the stream
			for to = from + 1; to < len(w.requests) && w.rowOf[to] == w.rowOf[to-1]+1; {
				to++
			}
		}
		w.price(ctx, c, from, to)
		from = to
	}
	c.out, c.ok, c.failed = c.out[:0], 0, 0
	for i, row := range c.rows {
		if what := w.problems[i]; len(what) > 0 {
			c.out = w.batch.writer.problem(c.out, c.first+i, text[row.from:row.to], w.batch.tell.details(what))
			c.failed++
			continue
		}
		c.out = w.batch.writer.price(c.out, c.first+i, text[row.from:row.to], w.prices[i])
		c.ok++
	}
}

// read turns the rows of a chunk into requests and problems.
func (w *worker) read(c *chunk, text string) {
	w.requests, w.rowOf, c.unknown = w.requests[:0], w.rowOf[:0], c.unknown[:0]
	w.problems = slices.Grow(w.problems[:0], len(c.rows))[:len(c.rows)]
	clear(w.problems)
	var v values
	unknown := func(name string) { c.unknown = addName(c.unknown, name) }
	for i, row := range c.rows {
		switch row.flaw {
		case tooBig:
			w.problems[i] = []fieldError{{Loc: []any{"body"}, Type: "too_long", Format: tooLongRow}}
			continue
		case broken:
			w.problems[i] = []fieldError{{Loc: []any{"body"}, Type: "csv_invalid", Format: badQuotes, Input: rawRow(text[row.from:row.to])}}
			continue
		case sound:
		}
		v = values{}
		if problem := w.batch.reader.read(text[row.from:row.to], &v, unknown); problem != nil {
			w.problems[i] = []fieldError{*problem}
			continue
		}
		w.requests = append(w.requests, request{})
		if what := check(&w.requests[len(w.requests)-1], &v, w.batch.version.statuses, w.batch.asOf); len(what) > 0 {
			w.requests, w.problems[i] = w.requests[:len(w.requests)-1], what
			continue
		}
		w.rowOf = append(w.rowOf, i)
	}
}

// price answers the requests from and up to to. One that cannot be priced takes no other with it.
func (w *worker) price(ctx context.Context, c *chunk, from, to int) {
	if from >= to {
		return
	}
	q, b := &w.question, w.batch
	q.version, q.id, q.now, q.unkept = b.version, b.summary.RequestID, b.now, !b.record
	q.first, q.requests = c.first-1+w.rowOf[from], w.requests[from:to]
	err := b.role.answer(ctx, q)
	var one *itemError
	switch {
	case err == nil:
		for i, price := range q.prices {
			w.prices[w.rowOf[from+i]] = price
		}
	case errors.As(err, &one):
		w.fail(from+one.index, one.err)
		w.price(ctx, c, from, from+one.index)
		w.price(ctx, c, from+one.index+1, to)
	default:
		for i := from; i < to; i++ {
			w.fail(i, err)
		}
	}
}

func (w *worker) fail(i int, err error) {
	what := apperror.SentenceOf(err)
	kind := "value_error"
	if apperror.CodeOf(err) != apperror.Invalid {
		kind = "unavailable"
	}
	w.problems[w.rowOf[i]] = []fieldError{{Loc: []any{"body"}, Type: kind, Format: what.Format, Args: what.Args}}
}
