package source

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/listingcsv"
	"tasador/pkg/listinggen"
	"tasador/pkg/property"
)

// planRest is the plan of a file unless told otherwise: all of it at once.
const planRest = "rest"

// file hands out consecutive slices of a CSV file. It remembers where each begins and reads it anew each time.
type file struct {
	path     string
	size     int64
	modified time.Time
	text     string
	columns  []string
	slices   []slice
}

// slice is one batch of a file.
type slice struct {
	plan   listinggen.Batch
	offset int64 // of its first row in the file
	rows   int
}

// openFile reads the whole file once: every row must be readable before the first is handed out.
func openFile(ctx context.Context, cfg config.Source) (*file, error) {
	text := cfg.Batches
	if text == "" {
		text = planRest
	}
	plan, err := listinggen.ParsePlan(text)
	if err != nil {
		return nil, err
	}
	for i, b := range plan {
		if b.Gaps {
			return nil, apperror.New(apperror.Invalid, "--source.batches: batch %d has the option gaps, which is for generated listings; leave it out or leave out --source.csv", i+1)
		}
	}
	in, err := os.Open(cfg.CSV)
	if err != nil {
		return nil, apperror.New(apperror.Invalid, "--source.csv=%s cannot be opened: %v", cfg.CSV, pathCause(err))
	}
	defer func() { _ = in.Close() }() // only read from
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", cfg.CSV, err)
	}
	f := &file{path: cfg.CSV, text: text, size: info.Size(), modified: info.ModTime()}
	if err := f.index(ctx, in, plan); err != nil {
		return nil, err
	}
	return f, nil
}

// pathCause takes the path off an error of the file system, where the sentence around it has it already.
func pathCause(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func newReader(r io.Reader) *csv.Reader {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.FieldsPerRecord = -1 // short rows are filled up, long ones are refused by name
	return c
}

// index finds the slices of the plan: it ends where rows are wanted and none are left.
func (f *file) index(ctx context.Context, in io.Reader, plan []listinggen.Batch) error {
	r := newReader(bufio.NewReaderSize(in, 1<<18))
	if err := f.header(r); err != nil {
		return err
	}
	for _, b := range plan {
		s := slice{plan: b, offset: r.InputOffset()}
		for b.Rest || s.rows < b.Size {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return apperror.New(apperror.Invalid, "--source.csv=%s cannot be read: %v", f.path, pathCause(err))
			}
			if len(row) > len(f.columns) {
				line, _ := r.FieldPos(0)
				return apperror.New(apperror.Invalid, "--source.csv=%s: line %d has %d fields, but the header has %d", f.path, line, len(row), len(f.columns))
			}
			s.rows++
			if s.rows%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if s.rows == 0 && (b.Rest || b.Size > 0) {
			return nil
		}
		f.slices = append(f.slices, s)
	}
	return nil
}

func (f *file) header(r *csv.Reader) error {
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return apperror.New(apperror.Invalid, "--source.csv=%s is empty; its first line must name the columns", f.path)
	}
	if err != nil {
		return apperror.New(apperror.Invalid, "--source.csv=%s cannot be read: %v", f.path, pathCause(err))
	}
	f.columns = slices.Clone(head)
	f.columns[0] = strings.TrimPrefix(f.columns[0], "\ufeff")
	for i, column := range f.columns {
		if slices.Contains(f.columns[:i], column) {
			return apperror.New(apperror.Invalid, "--source.csv=%s names the column %q twice; name each once", f.path, column)
		}
	}
	if !slices.ContainsFunc(f.columns, func(c string) bool { return slices.Contains(property.Columns(), c) }) {
		return apperror.New(apperror.Invalid, "--source.csv=%s has none of the columns of a listing in its first line; those are %s", f.path, strings.Join(property.Columns(), ", "))
	}
	return nil
}

func (f *file) batches() int { return len(f.slices) }

func (f *file) fingerprint() string {
	return fmt.Sprintf("file size=%d modified=%s batches=%s", f.size, f.modified.UTC().Format(time.RFC3339Nano), f.text)
}

func (f *file) open(index int) (*openBatch, error) {
	s := f.slices[index]
	in, err := f.reopen()
	if err != nil {
		return nil, err
	}
	if _, err := in.Seek(s.offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	r := newReader(bufio.NewReaderSize(in, 1<<17))
	numeric := make([]bool, len(f.columns))
	for i, column := range f.columns {
		numeric[i] = isNumeric(column)
	}
	b := &openBatch{plan: s.plan, columns: f.columns, literals: make([][]byte, len(f.columns))}
	b.close = func() { _ = in.Close() } // only read from
	left := s.rows
	b.next = func() (bool, error) {
		if left == 0 {
			return false, nil
		}
		left--
		row, err := r.Read()
		if err != nil {
			return false, fmt.Errorf("read %s: %w", f.path, err)
		}
		for i := range b.literals {
			value := "" // a short row ends with missing values
			if i < len(row) {
				value = row[i]
			}
			b.literals[i] = appendValue(b.literals[i][:0], value, numeric[i])
		}
		return true, nil
	}
	return b, nil
}

func (f *file) check() error {
	in, err := f.reopen()
	if err != nil {
		return err
	}
	return in.Close()
}

// reopen opens the file, if it is still the one that was indexed.
func (f *file) reopen() (*os.File, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, apperror.New(apperror.Unavailable, "the file of listings cannot be opened any more: %v", pathCause(err))
	}
	info, err := in.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look at %s: %w", f.path, err), in.Close())
	}
	if info.Size() != f.size || !info.ModTime().Equal(f.modified) {
		return nil, errors.Join(apperror.New(apperror.Unavailable, "the file of listings was changed; start the source again"), in.Close())
	}
	return in, nil
}

func isNumeric(column string) bool {
	return slices.ContainsFunc(fields[:], func(f property.Field) bool { return f.Name == column && f.Number != nil })
}

// appendValue appends a field of the file as a JSON value: null if it is empty. A number that does not parse is missing, as it is
// wherever tasador reads such a file.
func appendValue(dst []byte, value string, numeric bool) []byte {
	switch {
	case value == "":
		return append(dst, "null"...)
	case numeric:
		return appendNumber(dst, listingcsv.ParseNumber([]byte(value)))
	}
	return appendText(dst, value)
}
