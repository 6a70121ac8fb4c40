package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// outOfOrder is how much younger the line before may be: several processes write, each some lines at a time.
const outOfOrder = time.Second

const blockSize = 64 << 10 // bytes that are read at once

// Newest returns the entries that a filter takes, by time from the newest on: n of them, and those that are as old as the last of these, so that who asks for
// what is before that one misses nothing. A nil Log has none.
func (l *Log) Newest(ctx context.Context, filter Filter, n int) ([]Entry, error) {
	if l == nil {
		return nil, nil
	}
	name, err := json.Marshal(filter.User)
	if err != nil {
		return nil, fmt.Errorf("name of a user: %w", err)
	}
	found := newest{filter: filter, n: n, mark: []byte(`"user":` + string(name))}
	if err := l.files.backwards(func(line []byte) bool { return ctx.Err() == nil && found.add(line) }); err != nil {
		return nil, err
	}
	return found.sorted(), ctx.Err()
}

// newest gathers entries, whose lines come from the last on.
type newest struct {
	filter  Filter
	n       int
	mark    []byte // of a line of the user that is asked for
	entries []Entry
	enough  time.Time // of the n-th newest, if there are as many
}

// add takes a line and reports whether those before it matter.
func (f *newest) add(line []byte) bool {
	if f.filter.User != "" && !bytes.Contains(line, f.mark) { // cheaper than to read it
		return true
	}
	var e Entry
	if json.Unmarshal(line, &e) != nil { // a crash may have cut it off
		return true
	}
	if !f.enough.IsZero() && e.Time.Before(f.enough.Add(-outOfOrder)) || e.Time.Before(f.filter.Since.Add(-outOfOrder)) {
		return false
	}
	if f.filter.takes(&e) {
		f.entries = append(f.entries, e)
	}
	if len(f.entries) == f.n {
		f.enough = slices.MinFunc(f.entries, func(a, b Entry) int { return a.Time.Compare(b.Time) }).Time
	}
	return true
}

func (f *newest) sorted() []Entry {
	slices.SortStableFunc(f.entries, func(a, b Entry) int { return cmp.Compare(b.Time.UnixNano(), a.Time.UnixNano()) })
	if len(f.entries) <= f.n {
		return f.entries
	}
	end := f.n
	for end < len(f.entries) && f.entries[end].Time.Equal(f.entries[f.n-1].Time) {
		end++
	}
	return f.entries[:end]
}

// backwards calls each with the lines of the folder, from the last on, until it returns false.
func (f *files) backwards(each func(line []byte) bool) (err error) {
	last, err := os.Open(filepath.Join(f.opt.Folder, current))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("audit log: %w", err)
	}
	if last != nil {
		defer func() { err = errors.Join(err, last.Close()) }()
		if more, err := backwards(last, each); err != nil || !more {
			return err
		}
	}
	old, err := oldFiles(f.opt.Folder)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(old) {
		if more, err := f.before(name, last, each); err != nil || !more {
			return err
		}
	}
	return nil
}

// before reads a file that was put aside; one that was removed meanwhile, or that was the newest just now, is passed over.
func (f *files) before(name string, last *os.File, each func(line []byte) bool) (more bool, err error) {
	file, err := os.Open(filepath.Join(f.opt.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("audit log: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if sameFile(file, last) {
		return true, nil
	}
	return backwards(file, each)
}

// backwards calls each with the whole lines that a file has now, from the last on, and reports whether it wants more.
func backwards(file *os.File, each func(line []byte) bool) (more bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return false, fmt.Errorf("audit log: %w", err)
	}
	block := make([]byte, blockSize)
	var rest []byte // of the line that begins before the block
	for end := info.Size(); end > 0; {
		part := block[:min(end, blockSize)]
		if n, err := file.ReadAt(part, end-int64(len(part))); n < len(part) && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("read the audit log: %w", err)
		}
		end -= int64(len(part))
		for {
			cut := bytes.LastIndexByte(part, '\n')
			if cut < 0 {
				break
			}
			if line := slices.Concat(part[cut+1:], rest); len(line) > 0 && !each(line) {
				return false, nil
			}
			part, rest = part[:cut], nil
		}
		rest = slices.Concat(part, rest)
	}
	return len(rest) == 0 || each(rest), nil
}
