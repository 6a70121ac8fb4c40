package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shelf holds the segments that are not shipped, in the order of their numbers.
type shelf struct {
	mu       sync.Mutex
	segments []*segment
}

func (s *shelf) add(one *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, one)
}

// first returns the oldest segment, nil if there is none.
func (s *shelf) first() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return nil
	}
	return s.segments[0]
}

func (s *shelf) drop(one *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = slices.DeleteFunc(s.segments, func(other *segment) bool { return other == one })
}

// backlog counts what is written and not shipped. Both sides only add, so that neither waits for the other.
type backlog struct {
	appended, appendedBytes atomic.Int64
	shipped, shippedBytes   atomic.Int64
	lost                    atomic.Int64               // that were damaged or removed on the disk
	refused                 atomic.Int64               // that the sink did not take
	at                      atomic.Pointer[checkpoint] // where the first entry of the backlog is
}

func (b *backlog) add(entries, bytes int64) {
	b.appendedBytes.Add(bytes)
	b.appended.Add(entries)
}

// Backlog is what is in the journal and not shipped yet.
type Backlog struct {
	Entries int64
	Bytes   int64
	Oldest  time.Time // of the entries; zero if there are none
	Damaged int64     // entries that were damaged or removed on the disk since the start; they are not counted above
	Refused int64     // entries that the sink did not take since the start; nor are they
}

// Backlog tells what is not shipped yet.
func (j *Journal) Backlog() Backlog {
	b := Backlog{Entries: j.backlog.shipped.Load(), Bytes: j.backlog.shippedBytes.Load()} // first: what is counted as shipped was counted as appended before
	b.Entries, b.Bytes = j.backlog.appended.Load()-b.Entries, j.backlog.appendedBytes.Load()-b.Bytes
	b.Damaged, b.Refused = j.backlog.lost.Load(), j.backlog.refused.Load()
	if b.Entries > 0 {
		b.Oldest = j.oldest()
	}
	return b
}

// oldest reads the time of the first entry of the backlog from its file; zero if that is gone meanwhile.
func (j *Journal) oldest() time.Time {
	s, offset := j.shelf.first(), int64(headerSize)
	if s == nil {
		return time.Time{}
	}
	if at := j.backlog.at.Load(); at != nil && at.ID == s.id {
		offset = at.Offset
	}
	if offset+entryHead > s.size.Load() {
		return time.Time{}
	}
	file, err := os.Open(s.path)
	if err != nil {
		return time.Time{}
	}
	defer func() { _ = file.Close() }() // only read
	head := make([]byte, entryHead)
	if _, err := file.ReadAt(head, offset); err != nil {
		return time.Time{}
	}
	return timeOf(head)
}

// load looks through the folder: what is shipped is removed, what is not whole is cut off, and the rest is the backlog.
func (j *Journal) load() error {
	at, err := readCheckpoint(j.opts.Dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(j.opts.Dir)
	if err != nil {
		return err
	}
	j.last = at.Number
	for _, e := range entries { // by name, which is by number
		number := numberOf(e.Name())
		if number == 0 || !e.Type().IsRegular() {
			continue
		}
		j.last = max(j.last, number)
		path := segmentPath(j.opts.Dir, number)
		if number < at.Number {
			if err := os.Remove(path); err != nil { // a kill came between the checkpoint and this
				return err
			}
			continue
		}
		if err := j.loadSegment(number, at); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := j.takeBack(&at); err != nil {
		return err
	}
	j.backlog.at.Store(&at)
	return nil
}

// takeBack loads the segments that were put aside: those that another version could not read and this one can, because a newer tasador was away for a while, and
// those with an entry that was not taken, which may be now. What of them is there already changes nothing.
func (j *Journal) takeBack(at *checkpoint) error {
	entries, err := os.ReadDir(j.opts.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // by name, which is by number
		name, refused := strings.CutSuffix(e.Name(), refusedSuffix)
		if !e.Type().IsRegular() || !refused && !strings.HasSuffix(name, suffix+unreadable) || refused && !strings.HasSuffix(name, suffix) {
			continue
		}
		if _, err := os.Stat(filepath.Join(j.opts.Dir, name)); refused && err == nil {
			continue // a second name of what is shipped now
		}
		path := filepath.Join(j.opts.Dir, e.Name())
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		id, err := readHeader(file)
		if err := file.Close(); err != nil {
			return err
		}
		if errors.Is(err, errNoSegment) {
			continue
		}
		if err != nil {
			return err
		}
		if id == at.ID { // it was through, and is to be read from its begin
			*at = checkpoint{Number: at.Number}
			if err := at.save(j.opts.Dir); err != nil {
				return err
			}
		}
		j.last++ // its own number may be behind the checkpoint
		if err := os.Rename(path, segmentPath(j.opts.Dir, j.last)); err != nil {
			return err
		}
		j.opts.Log.Warn("a segment of the journal that was put aside is shipped", "segment", path, "number", j.last)
		if err := j.loadSegment(j.last, *at); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (j *Journal) loadSegment(number int64, at checkpoint) error {
	path := segmentPath(j.opts.Dir, number)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // what was written is synced
	r := bufio.NewReaderSize(file, readAhead)
	id, err := readHeader(r)
	if errors.Is(err, errNoSegment) {
		return j.setAside(file, number)
	}
	if err != nil {
		return err
	}
	s := &segment{number: number, id: id, path: path}
	s.sealed.Store(true)
	end := int64(headerSize)
	var buf []byte
	for {
		buf, err = readEntry(r, buf)
		if errors.Is(err, errTorn) {
			break
		}
		if err != nil {
			return err
		}
		s.entries.Add(1)
		if end += int64(len(buf)); at.ID != id || end > at.Offset {
			j.backlog.add(1, int64(len(buf)))
		}
	}
	s.size.Store(end)
	if err := j.cut(file, end); err != nil {
		return err
	}
	if at.ID == id && at.Offset >= end {
		return os.Remove(path)
	}
	j.shelf.add(s)
	return nil
}

// cut removes what stands behind the last whole entry. Where that is more than the zeros of a file that the disk had no content of yet, it is kept beside, since
// a failing disk leaves the same.
func (j *Journal) cut(file *os.File, end int64) error {
	if _, err := file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	tail, err := io.ReadAll(file)
	if err != nil || len(tail) == 0 {
		return err
	}
	kept := ""
	if len(bytes.Trim(tail, "\x00")) > 0 {
		kept = file.Name() + ".torn"
		if err := os.WriteFile(kept, tail, 0o600); err != nil {
			return err
		}
	}
	j.opts.Log.Warn("the end of a segment of the journal is not whole, as after a crash; it is cut off", "segment", file.Name(), "at", end, "bytes", len(tail), "kept", kept)
	return errors.Join(file.Truncate(end), file.Sync())
}

// What the names of files that were put aside end in: of one that this version cannot read, and of one with an entry that was refused.
const (
	unreadable    = ".unreadable"
	refusedSuffix = ".refused"
)

// setAside removes an empty file where a segment should be, and keeps one with content under another name.
func (j *Journal) setAside(file *os.File, number int64) error {
	content, err := io.ReadAll(io.NewSectionReader(file, 0, MaxPayload))
	if err != nil {
		return err
	}
	if len(content) < headerSize || len(bytes.Trim(content, "\x00")) == 0 {
		j.opts.Log.Warn("a segment of the journal was only begun, as by a crash; it is removed", "segment", file.Name())
		return os.Remove(file.Name())
	}
	aside := file.Name() + unreadable
	j.opts.Log.Error("a file in the journal is no segment that this version reads; it is put aside", "segment", file.Name(), "number", number, "kept", aside)
	return os.Rename(file.Name(), aside)
}
