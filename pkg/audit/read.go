package audit

import (
	"bufio"
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

	"tasador/pkg/apperror"
)

// Filter says which entries are wanted; what is zero does not matter.
type Filter struct {
	Since   time.Time // and at it
	Before  time.Time
	User    string
	Outcome Outcome
}

func (f Filter) takes(e *Entry) bool {
	return !e.Time.Before(f.Since) && (f.Before.IsZero() || e.Time.Before(f.Before)) && (f.User == "" || e.User == f.User) && (f.Outcome == "" || e.Outcome == f.Outcome)
}

const followEvery = 200 * time.Millisecond

// reader reads a folder from its oldest line on.
type reader struct {
	folder string
	filter Filter
	each   func(Entry) error

	seen map[string]bool // files that were put aside and read
	file *os.File        // that is read; nil before the first
	in   *bufio.Reader
	half []byte // of a line that is not whole yet
}

// Read calls each with the entries of a folder, the oldest first; an error of each ends it. With follow it goes on with those that come, until ctx ends.
// Codes: NotFound if there is no audit log.
func Read(ctx context.Context, folder string, filter Filter, follow bool, each func(Entry) error) (err error) {
	r := &reader{folder: folder, filter: filter, each: each, seen: map[string]bool{}}
	defer func() {
		if r.file != nil {
			err = errors.Join(err, r.file.Close())
		}
	}()
	look := time.NewTicker(followEvery)
	defer look.Stop()
	for {
		if err := r.newest(); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// whole reads a file that was put aside. One that was removed meanwhile is passed over.
func (r *reader) whole(name string, newest *os.File) (err error) {
	file, err := os.Open(filepath.Join(r.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if sameFile(file, newest) {
		return nil
	}
	r.seen[name] = true
	if info, err := file.Stat(); sameFile(file, r.file) || (err == nil && info.ModTime().Before(r.filter.Since)) {
		return nil // it was read, or its last line is older
	}
	in, half := r.in, r.half
	r.in, r.half = bufio.NewReader(file), nil
	err = r.lines()
	r.in, r.half = in, half
	return err
}

// newest reads what was added to the newest file. Of those that were put aside meanwhile, and at the beginning of all, it reads what it has not.
func (r *reader) newest() error {
	if err := r.rest(); err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(r.folder, current))
	if errors.Is(err, fs.ErrNotExist) {
		return r.aside(nil)
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if r.file != nil && sameFile(r.file, file) {
		return file.Close()
	}
	if err := errors.Join(r.rest(), r.aside(file)); err != nil {
		return errors.Join(err, file.Close())
	}
	if r.file != nil {
		err = r.file.Close()
	}
	r.file, r.in, r.half = file, bufio.NewReader(file), nil
	return errors.Join(err, r.lines())
}

// rest reads the file that is open to its end.
func (r *reader) rest() error {
	if r.file == nil {
		return nil
	}
	return r.lines()
}

// aside reads the files that were put aside and not read yet, except the one that is the newest to us.
func (r *reader) aside(newest *os.File) error {
	names, err := oldFiles(r.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return apperror.Wrap(apperror.NotFound, err, "there is no audit log in %s; check --data-dir", r.folder)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if r.seen[name] {
			continue
		}
		if err := r.whole(name, newest); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return false
	}
	one, err := a.Stat()
	other, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(one, other)
}

// lines reads to the end of what is there. A line that is none is passed over: a crash may have cut it off.
func (r *reader) lines() error {
	for {
		part, err := r.in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			r.half = append(r.half, part...)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		line := slices.Concat(r.half, part)
		r.half = nil
		var e Entry
		if json.Unmarshal(line, &e) != nil || !r.filter.takes(&e) {
			continue
		}
		if err := r.each(e); err != nil {
			return err
		}
	}
}
