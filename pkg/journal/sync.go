package journal

import (
	"errors"
	"os"
	"sync"
	"time"
)

// syncState is what the disk knows.
type syncState struct {
	mu      sync.Mutex
	current *segment
	file    *os.File // of current, nil if there is none
	retired []held   // to be synced once more, and closed
	fresh   bool     // a file was made since the folder was synced
	known   map[*segment]int64
	err     error // of the last sync
}

type held struct {
	segment *segment
	file    *os.File
}

func (s *syncState) begin(one *segment, file *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.file, s.fresh = one, file, true
}

func (s *syncState) retire(one *segment, file *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.file = nil, nil
	s.retired = append(s.retired, held{one, file})
}

// syncAlways tells the disk what was written, all that came within a moment at once.
func (j *Journal) syncAlways() {
	for {
		select {
		case <-j.awake:
		case <-j.stopped:
			return
		}
		moment := time.NewTimer(syncAfter)
		select {
		case <-moment.C:
		case <-j.stopped: // Close syncs
			moment.Stop()
			return
		}
		before := j.SyncError()
		if err := j.sync(); err != nil && before == nil {
			j.opts.Log.Error("the journal cannot be flushed to the disk; the end of the machine would lose what is not shipped", "dir", j.opts.Dir, "error", err)
		}
	}
}

// SyncError returns why the last flush to the disk failed, nil if it did not.
func (j *Journal) SyncError() error {
	j.synced.mu.Lock()
	defer j.synced.mu.Unlock()
	return j.synced.err
}

// sync tells the disk everything that was written so far.
func (j *Journal) sync() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.dirty.Store(false)
	s := &j.synced
	s.mu.Lock()
	todo, fresh := s.retired, s.fresh
	s.retired, s.fresh = nil, false
	current := held{s.current, s.file}
	s.mu.Unlock()
	var errs []error
	for _, h := range todo {
		errs = append(errs, j.syncOne(h), h.file.Close())
	}
	if current.file != nil {
		// It may be retired meanwhile, but only this function closes it, and it does not run twice at the same time.
		errs = append(errs, j.syncOne(current))
	}
	if fresh {
		errs = append(errs, syncDir(j.opts.Dir))
	}
	err := errors.Join(errs...)
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	return err
}

func (j *Journal) syncOne(h held) error {
	size := h.segment.size.Load()
	if err := h.file.Sync(); err != nil {
		return err
	}
	j.synced.mu.Lock()
	defer j.synced.mu.Unlock()
	if j.synced.known != nil {
		j.synced.known[h.segment] = size
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
