// Package listingcsv reads listings from CSV files, as fast as the processors allow.
//
// One goroutine cuts the file into blocks at record boundaries, several parse blocks, and the results come back in the order of
// the file. A file is read as strictly as encoding/csv does: quotes stand around whole fields only. Beyond that, as pandas does: the
// header names the columns in any order, unknown columns are ignored, of two columns of one name the first counts, blank lines are skipped,
// a line may end with LF, CRLF or CR, short records are filled up with NULL, and an empty field is NULL. A long record is an error.
package listingcsv

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// Options says how to read; the zero value is good.
type Options struct {
	Workers   int // parsers at work; 0 means one for each processor
	BlockSize int // bytes read at once; 0 means 512 KiB
	MaxRecord int // bytes that one record may have; 0 means 1 MiB
}

const (
	defaultBlockSize = 512 << 10
	defaultMaxRecord = 1 << 20
)

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.BlockSize <= 0 {
		o.BlockSize = defaultBlockSize
	}
	if o.MaxRecord <= 0 {
		o.MaxRecord = defaultMaxRecord
	}
	return o
}

// Reader is an open CSV file whose header is read.
type Reader struct {
	cutter  *cutter
	options Options
	first   []byte // what the first block holds after the header
	line    int    // the line that first begins with
	width   int    // fields of the header
	slots   []int8 // for every field, its Column, or -1
	columns []string
}

// NewReader reads the header from r. It fails if there is none, naming the line of what it cannot read.
func NewReader(r io.Reader, opt Options) (*Reader, error) {
	opt = opt.withDefaults()
	c := &cutter{source: r, blockSize: opt.BlockSize, maxRecord: opt.MaxRecord}
	block, err := c.next(nil)
	if errors.Is(err, io.EOF) {
		return nil, apperror.New(apperror.Invalid, "the file is empty: its first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	rd := &Reader{cutter: c, options: opt}
	return rd, rd.readHeader(block)
}

func (rd *Reader) readHeader(block []byte) error {
	p := parser{maxRecord: rd.options.MaxRecord}
	names, rest, err := p.header(withoutMark(block))
	if err != nil {
		return err.at(1)
	}
	if names == nil {
		return apperror.New(apperror.Invalid, "the file is empty: its first line must name the columns")
	}
	rd.first, rd.line, rd.width = rest, p.line+1, len(names)
	known := property.Columns()
	for _, name := range names {
		slot := slices.Index(known, name)
		if slot >= 0 && slices.Contains(rd.columns, name) {
			slot = -1
		}
		if slot >= 0 {
			rd.columns = append(rd.columns, name)
		}
		rd.slots = append(rd.slots, int8(slot)) // #nosec G115 -- a dozen columns
	}
	return nil
}

// withoutMark drops the byte order mark that some programs begin UTF-8 files with.
func withoutMark(block []byte) []byte {
	if len(block) >= 3 && block[0] == 0xEF && block[1] == 0xBB && block[2] == 0xBF {
		return block[3:]
	}
	return block
}

// Columns returns the known columns of the file, in its order.
func (rd *Reader) Columns() []string { return slices.Clone(rd.columns) }

// Batch collects the records of one block. Parsers fill several at the same time, each its own.
type Batch interface {
	Add(r *Record) // r and what it gives out are valid until Add returns
	Reset()        // empties the batch for its next use
}

// Each reads all records into batches made by newBatch and calls fn with one after the other, in the order of the file; fn must
// not keep the batch, which is used again. It returns the first error: of the file (naming the line), of fn, or of ctx. A reader
// can be read once.
func Each[B Batch](ctx context.Context, rd *Reader, newBatch func() B, fn func(B) error) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := rd.options.Workers
	work := make(chan *task[B])
	ordered := make(chan *task[B], 2*workers)
	free := make(chan *task[B], 4*workers+2) // never more tasks than that, so giving one back never blocks
	group.Go(func() error {
		defer close(work)
		defer close(ordered)
		return feed(ctx, rd, newBatch, free, work, ordered)
	})
	for range workers {
		group.Go(func() error {
			p := parser{maxRecord: rd.options.MaxRecord, width: rd.width, slots: rd.slots}
			for t := range work {
				t.lines, t.err = p.block(t.block, t.batch.Add)
				t.done <- struct{}{}
			}
			return nil
		})
	}
	if err := collect(ctx, rd.line, free, ordered, fn); err != nil {
		group.Go(func() error { return err }) // ends the others, unless it is because one of them ended that collect did
	}
	return group.Wait()
}

// task is one block on its way.
type task[B Batch] struct {
	buffer []byte // backs block, except for the first one
	block  []byte
	batch  B
	lines  int
	err    *lineError
	done   chan struct{} // holds one signal
}

// feed cuts blocks and hands each both to the parsers and to the queue that keeps the order.
func feed[B Batch](ctx context.Context, rd *Reader, newBatch func() B, free, work, ordered chan *task[B]) error {
	first := rd.first
	for {
		var t *task[B]
		select {
		case t = <-free:
			t.batch.Reset()
		default:
			t = &task[B]{batch: newBatch(), done: make(chan struct{}, 1)}
		}
		t.block = first
		if first == nil {
			block, err := rd.cutter.next(t.buffer)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			t.buffer, t.block = block, block
		}
		first = nil
		select { // the queue first: what a parser works on is always awaited
		case ordered <- t:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case work <- t:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// collect waits for the tasks in order. line is the line of the file that the first block begins with.
func collect[B Batch](ctx context.Context, line int, free, ordered chan *task[B], fn func(B) error) error {
	for t := range ordered {
		select {
		case <-t.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if t.err != nil {
			return t.err.at(line)
		}
		line += t.lines
		if err := fn(t.batch); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil { // also when all that is left is parsed already
			return err
		}
		select {
		case free <- t:
		default:
		}
	}
	return nil
}
