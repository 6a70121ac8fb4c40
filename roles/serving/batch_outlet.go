package serving

import (
	"errors"
	"io"
	"os"
	"sync"
)

const (
	outletMemory = 1 << 20   // bytes that wait in memory for a client that reads slowly
	outletDisk   = 2 << 30   // in the file; then the batch waits too
	outletsDisk  = 4 << 30   // in the files of all batches, beside the piece that each may add
	outletPiece  = 128 << 10 // bytes given at once
)

// outlet holds what a batch has answered until the client takes it: a little in memory, then in a file. Most clients send all they have before they read the
// answer, and would wait for ever for a server that stops reading because nobody takes its answers.
type outlet struct {
	dir   string // of the file
	spill *spill // of all batches

	mu      sync.Mutex
	changed sync.Cond
	memory  []byte // older than what is in the file
	file    *os.File
	read    int64 // of the file
	written int64
	closed  bool  // nothing more comes
	err     error // of either side
}

func newOutlet(dir string, all *spill) *outlet {
	o := &outlet{dir: dir, spill: all}
	o.changed.L = &o.mu
	return o
}

// Write takes b. It waits only while the disk holds all that it may, of this batch or of all; clients that take nothing are cut off after a while, which ends that.
func (o *outlet) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (o.written > outletDisk || o.spill.full(o)) {
		o.changed.Wait()
	}
	if o.err == nil {
		o.err = o.put(b)
	}
	o.changed.Broadcast()
	if o.err != nil {
		return 0, o.err
	}
	return len(b), nil
}

func (o *outlet) put(b []byte) error {
	if o.written == 0 && len(o.memory)+len(b) <= outletMemory {
		o.memory = append(o.memory, b...)
		return nil
	}
	if o.file == nil {
		if err := os.MkdirAll(o.dir, 0o750); err != nil {
			return err
		}
		file, err := os.CreateTemp(o.dir, "batch-")
		if err != nil {
			return err
		}
		o.file = file
		_ = os.Remove(file.Name()) // so that not even a crash leaves it; where open files cannot be removed, close does it
	}
	n, err := o.file.WriteAt(b, o.written)
	o.written += int64(n)
	o.spill.add(int64(n))
	return err
}

// next waits for something to give and appends it to b, which is empty; io.EOF after all was given.
func (o *outlet) next(b []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && !o.closed && len(o.memory) == 0 && o.written == 0 {
		o.changed.Wait()
	}
	switch {
	case o.err != nil:
		return b, o.err
	case len(o.memory) > 0:
		b = append(b, o.memory...)
		o.memory = o.memory[:0]
		return b, nil
	case o.written > 0:
		b = append(b, make([]byte, min(outletPiece, o.written-o.read))...)
		if _, err := o.file.ReadAt(b, o.read); err != nil {
			o.err = err
			return nil, err
		}
		if o.read += int64(len(b)); o.read == o.written {
			o.err = o.empty()
		}
		o.changed.Broadcast()
		return b, nil
	}
	return b, io.EOF
}

// empty gives back what the file takes of the disk, and begins it anew.
func (o *outlet) empty() error {
	o.spill.add(-o.written)
	o.read, o.written = 0, 0
	return o.file.Truncate(0)
}

// idle says whether nothing waits to be given.
func (o *outlet) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.memory) == 0 && o.written == 0
}

// finish says that nothing more comes.
func (o *outlet) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.changed.Broadcast()
}

// fail ends both sides with err.
func (o *outlet) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
}

// close frees the file, once neither side is at work.
func (o *outlet) close() error {
	if o.file == nil {
		return nil
	}
	o.spill.add(-o.written)
	_ = os.Remove(o.file.Name()) // gone already where that is possible
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// spill counts what the outlets of all batches keep on the disk, which they share with the journal.
type spill struct {
	mu      sync.Mutex
	most    int64 // bytes
	used    int64
	waiting map[*outlet]struct{}
}

func newSpill(most int64) *spill { return &spill{most: most, waiting: map[*outlet]struct{}{}} }

// full reports whether there is no room; then o is told when there may be.
func (s *spill) full(o *outlet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used < s.most {
		return false
	}
	s.waiting[o] = struct{}{}
	return true
}

// add counts n more bytes, or fewer, which lets those who wait look again. It may be called with an outlet locked, so it locks none itself.
func (s *spill) add(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += n
	if n >= 0 {
		return
	}
	for o := range s.waiting {
		delete(s.waiting, o)
		go func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.changed.Broadcast()
		}()
	}
}
