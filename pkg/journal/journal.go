// Package journal keeps what must not be lost on the local disk until a slower place has it: entries are appended to segment files, and a shipper hands them on in
// batches and removes the segments that are through.
//
// An append returns once the entry is written with write(2), so that the end of the process by whatever signal loses nothing. The disk gets it (fsync)
// within 100 ms, which is what the end of the machine may lose. Appends that come at the same time are written together.
//
// # Format
//
// A segment is a file <number>.journal, numbers going up by one. All integers are little-endian.
//
//	header  8 bytes "tasadorj", 4 bytes version (1), 16 bytes id of the segment, 4 bytes CRC-32C of the 28 bytes before
//	entry   4 bytes length n of the payload (at least 1), 4 bytes CRC-32C of all that follows in the entry with the length before it,
//	        8 bytes time of the entry (microseconds since 1970), n bytes payload
//
// The id is a UUID of version 7, made with the segment. An entry is known by it and by its number in the segment, from 1; a segment that was begun by one
// process is never continued by another, so that no such name is given twice, whatever of a segment a power cut has taken.
//
// A segment ends with its file or before the first entry that is not whole. What stands there is the rest of a write that did not finish; Open cuts it off. A
// file named shipped says up to where the shipper is through. It may lag behind: whoever takes the batches must know an entry again.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/writable"
)

const (
	segmentBytes = 64 << 20
	// MaxPayload bounds the payload of an entry, in bytes.
	MaxPayload = 16 << 20
	// syncAfter is how long a written entry waits for others before the disk is told. It leaves the disk as much to keep within 100 ms.
	syncAfter = 50 * time.Millisecond
)

// Options say where a journal is. Dir and Log are required.
type Options struct {
	Dir          string
	Log          *slog.Logger
	SegmentBytes int64 // when the next segment is begun; 0 means 64 MiB
}

// Journal is safe for concurrent use. At most one process may have a folder open.
type Journal struct {
	opts   Options
	folder os.FileInfo // opts.Dir, when it was opened

	mu   sync.Mutex // of joining
	open *group     // takes entries; nil if there is none

	writing sync.Mutex // held by who writes; guards the four below
	active  *segment   // nil until something is appended
	file    *os.File   // of active
	buffer  []byte
	last    int64 // number of the newest segment

	shelf   shelf
	backlog backlog

	dirty   atomic.Bool // something is written that the disk was not told
	awake   chan struct{}
	hungry  atomic.Bool // the shipper waits for news
	news    chan struct{}
	stopped chan struct{}
	stop    sync.Once
	syncer  sync.WaitGroup
	closed  bool // guarded by writing
	syncing sync.Mutex
	synced  syncState
}

// group is entries that are written together by the one that came first.
type group struct {
	buf     []byte
	entries int64
	done    chan struct{}
	err     error
}

// Open opens the journal in a folder, which it makes. What a crash has left half is cut off, which the log tells. Codes: Unavailable.
func Open(opts Options) (*Journal, error) {
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = segmentBytes
		if killpoint.SplitWrites { // few requests must fill several
			opts.SegmentBytes = 4 << 10
		}
	}
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the folder %s of the journal; check that its parent is writable", opts.Dir)
	}
	j := &Journal{opts: opts, awake: make(chan struct{}, 1), news: make(chan struct{}, 1), stopped: make(chan struct{})}
	var err error
	if j.folder, err = os.Stat(opts.Dir); err == nil {
		err = j.load()
	}
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "the journal %s cannot be read; check the permissions of its files and its disk", opts.Dir)
	}
	j.syncer.Go(j.syncAlways)
	return j, nil
}

// Close tells the disk all that was written. Nothing can be appended after it. Ship must have returned.
func (j *Journal) Close() error {
	j.writing.Lock()
	j.closed = true
	j.writing.Unlock()
	j.stop.Do(func() { close(j.stopped) })
	j.syncer.Wait()
	err := j.sync()
	if j.file == nil {
		return err
	}
	return errors.Join(err, j.file.Close())
}

var errClosed = apperror.New(apperror.Unavailable, "the journal is closed, because the server stops")

// Append writes an entry and returns once the operating system has it. The payload may be used again. Codes: Unavailable if it cannot be written; then it is
// not in the journal.
func (j *Journal) Append(at time.Time, payload []byte) error {
	if n := len(payload); n == 0 || n > MaxPayload {
		return fmt.Errorf("an entry of %d bytes cannot be kept: it must have 1 to %d", n, MaxPayload)
	}
	if j.writing.TryLock() { // nobody to wait for, and nobody to share with
		defer j.writing.Unlock()
		j.buffer = appendEntry(j.buffer[:0], at, payload)
		return j.write(j.buffer, 1)
	}
	j.mu.Lock()
	g, first := j.open, j.open == nil
	if first {
		g = &group{done: make(chan struct{})}
		j.open = g
	}
	g.buf = appendEntry(g.buf, at, payload)
	g.entries++
	j.mu.Unlock()
	if !first {
		<-g.done
		return g.err
	}
	j.writing.Lock() // while the one before writes, others join
	defer j.writing.Unlock()
	j.mu.Lock()
	j.open = nil
	j.mu.Unlock()
	g.err = j.write(g.buf, g.entries)
	close(g.done)
	return g.err
}

// write puts whole entries at the end of the active segment. writing must be held.
func (j *Journal) write(buf []byte, entries int64) error {
	if j.closed {
		return errClosed
	}
	if j.active != nil && j.active.size.Load() > headerSize && j.active.size.Load()+int64(len(buf)) > j.opts.SegmentBytes {
		j.retire()
	}
	if j.active == nil {
		if err := j.begin(); err != nil {
			return j.explain(err)
		}
	}
	end := j.active.size.Load()
	if err := writeAt(j.file, buf, end); err != nil {
		if cut := j.file.Truncate(end); cut != nil { // what is half there cannot be taken back: go on elsewhere
			j.opts.Log.Error("a segment of the journal cannot be cut", "segment", j.active.path, "error", cut)
			j.retire()
		}
		return j.explain(err)
	}
	j.backlog.add(entries, int64(len(buf)))
	j.active.entries.Add(entries)
	j.active.size.Store(end + int64(len(buf)))
	if !j.dirty.Swap(true) {
		wake(j.awake)
	}
	if j.hungry.Load() && j.hungry.Swap(false) {
		wake(j.news)
	}
	return nil
}

// retire leaves the active segment to the syncer. writing must be held.
func (j *Journal) retire() {
	j.active.sealed.Store(true)
	j.synced.retire(j.active, j.file)
	j.active, j.file = nil, nil
	j.dirty.Store(true)
	wake(j.awake)
}

// seal ends a segment, if it is the active one.
func (j *Journal) seal(s *segment) {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.active == s {
		j.retire()
	}
}

// removed reports whether an error says that a file is not in the folder, while that is the folder that was opened. One that was moved or unmounted may come back.
func (j *Journal) removed(err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	now, err := os.Stat(j.opts.Dir)
	return err == nil && os.SameFile(j.folder, now)
}

// begin makes the next segment. writing must be held.
func (j *Journal) begin() error {
	s, file, err := create(j.opts.Dir, j.last+1)
	if err != nil {
		return err
	}
	j.last++
	j.active, j.file = s, file
	j.synced.begin(s, file)
	j.shelf.add(s)
	return nil
}

// explain gives an error of writing its sentence.
func (j *Journal) explain(err error) error { return writable.Explain(err, j.name()) }

func (j *Journal) name() string { return "the journal " + j.opts.Dir }

// Check reports whether the journal can be written, before something has to be. Codes: Unavailable.
func (j *Journal) Check() error {
	return writable.TryDir(j.opts.Dir, "probe", j.name())
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
