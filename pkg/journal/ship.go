package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"tasador/pkg/killpoint"
)

const (
	readAhead    = 1 << 20
	batchEntries = 2000
	rushEntries  = 100 // of a batch while many come: its few milliseconds of a processor delay none of them for long
	batchBytes   = 4 << 20
	usualEntry   = 512
	longestBatch = 100 * time.Millisecond // that is considered; what takes longer waited for the database, not for the machine
	shippedLook  = 5 * time.Millisecond
	linger       = 20 * time.Millisecond // after the first entry, for others
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// While entries keep coming, shipping takes one part in calmShare of the time, and one in rushShare while more than rushRate come in a second: then those who
	// append need the machine, and the rest waits until they are gone. A backlog beyond fastBytes ends the consideration.
	calmShare  = 4
	rushShare  = 50
	rushRate   = 5000
	fastBytes  = 1 << 30
	lastEffort = 5 * time.Second // to ship what is left when the process stops
)

// Sink is where entries are shipped to.
type Sink interface {
	// Store keeps the entries. It may be given one again that it has, which then changes nothing. refused are the indexes of entries that it will never be
	// able to keep; they are brought again when the process is started again, perhaps as another version. An error means that none is known to be kept: they are brought again later.
	Store(ctx context.Context, entries []Entry) (refused []int, err error)
}

// Shipper moves entries from a journal to a sink.
type Shipper struct {
	journal  *Journal
	sink     Sink
	reader   reader
	rush     bool // more come than are shipped beside them
	failures atomic.Int64
	failing  atomic.Pointer[error]
	refused  bool // an entry of the segment that is read, which could not be put aside yet
}

// NewShipper returns the shipper of a journal, which has one at most.
func NewShipper(j *Journal, sink Sink) *Shipper {
	s := &Shipper{journal: j, sink: sink}
	s.reader = reader{journal: j, most: batchEntries, at: *j.backlog.at.Load(), through: s.remove}
	return s
}

// Failures counts how often the sink failed, and Err is why it does now, nil if it does not.
func (s *Shipper) Failures() int64 { return s.failures.Load() }

// Err returns why nothing can be shipped, nil if it can.
func (s *Shipper) Err() error {
	if err := s.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// Run ships until ctx ends, and then what is left, if the sink takes it.
func (s *Shipper) Run(ctx context.Context, ready func()) error {
	ready()
	defer s.reader.close()
	for ctx.Err() == nil {
		appended, begin := s.journal.backlog.appended.Load(), time.Now()
		if !s.step(ctx) {
			s.await(ctx)
			continue
		}
		took := time.Since(begin)
		pause(ctx, s.consideration(s.journal.backlog.appended.Load()-appended, took))
		came := float64(s.journal.backlog.appended.Load() - appended)
		s.reader.most = batchEntries
		if s.rush = came > rushRate*time.Since(begin).Seconds() && !s.behind(); s.rush {
			s.reader.most = rushEntries
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastEffort)
	defer cancel()
	for {
		if shipped, err := s.try(last); err != nil || !shipped {
			break // it is in the journal
		}
	}
	if left := s.journal.Backlog(); left.Entries > 0 {
		s.journal.opts.Log.Warn("entries of the journal are not shipped yet; they will be after the next start", "dir", s.journal.opts.Dir, "entries", left.Entries)
	}
	return nil
}

// consideration is how long to leave the machine to others after a batch that took so long, while which so many entries were appended.
func (s *Shipper) consideration(appended int64, took time.Duration) time.Duration {
	switch {
	case appended == 0 && !s.rush, s.behind():
		return 0
	case s.rush:
		return (rushShare - 1) * min(took, longestBatch)
	}
	return (calmShare - 1) * min(took, longestBatch)
}

// behind reports whether so much waits that it has to go first.
func (s *Shipper) behind() bool {
	b := &s.journal.backlog
	return b.appendedBytes.Load()-b.shippedBytes.Load() > fastBytes
}

// AwaitShipped waits until everything that was appended before is shipped, but not longer than ctx, whose error it returns then.
func (j *Journal) AwaitShipped(ctx context.Context) error {
	appended := j.backlog.appended.Load()
	look := time.NewTicker(shippedLook)
	defer look.Stop()
	for j.backlog.shipped.Load() < appended {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// await waits for an entry, and a moment for others.
func (s *Shipper) await(ctx context.Context) {
	j := s.journal
	j.hungry.Store(true)
	if j.backlog.appended.Load() == j.backlog.shipped.Load() {
		select {
		case <-j.news:
		case <-ctx.Done():
			return
		}
	}
	pause(ctx, linger)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// step ships one batch, however long the sink is away. It reports false if there was nothing.
func (s *Shipper) step(ctx context.Context) bool {
	wait := firstPause
	for {
		shipped, err := s.try(ctx)
		if err == nil || ctx.Err() != nil {
			return shipped
		}
		pause(ctx, wait)
		wait = min(2*wait, longestPause)
	}
}

// try ships one batch once.
func (s *Shipper) try(ctx context.Context) (bool, error) {
	batch, err := s.reader.next()
	if err == nil && len(batch) > 0 {
		err = s.store(ctx, batch)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.note(err)
		}
		return false, err
	}
	s.note(nil)
	if len(batch) == 0 {
		return false, nil
	}
	killpoint.At(killpoint.AfterShip)
	s.pass()
	return true, nil
}

func (s *Shipper) store(ctx context.Context, batch []Entry) error {
	refused, err := s.sink.Store(ctx, batch)
	if err != nil {
		return err
	}
	if len(refused) == 0 {
		return nil
	}
	s.journal.backlog.refused.Add(int64(len(refused)))
	for _, i := range refused {
		s.journal.opts.Log.Error("an entry of the journal is not taken; its segment is put aside, and tried again at the next start", "segment", batch[i].Segment, "sequence", batch[i].Sequence)
	}
	s.putAside(s.reader.segment)
	return nil
}

// putAside gives a segment a second name, under which it stays when it is through. That is before the journal says that the entry is behind it, so that a kill
// loses nothing.
func (s *Shipper) putAside(one *segment) {
	err := os.Link(one.path, one.path+refusedSuffix)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return
	}
	s.refused = true // a file system without links: it is renamed at its end
}

// note tells the log when shipping begins to fail and when it works again, and not each time.
func (s *Shipper) note(err error) {
	before := s.failing.Load()
	if err == nil {
		if before != nil {
			s.failing.Store(nil)
			s.journal.opts.Log.Info("the journal is shipped again", "dir", s.journal.opts.Dir, "entries", s.journal.Backlog().Entries)
		}
		return
	}
	s.failures.Add(1)
	s.failing.Store(&err)
	if before == nil {
		s.journal.opts.Log.Error("the journal cannot be shipped; it is kept, and tried again", "dir", s.journal.opts.Dir, "error", err)
	}
}

// pass puts the batch that was read last behind us: first on disk, then the segments that are through are removed.
func (s *Shipper) pass() {
	j, done := s.journal, s.reader.pass()
	if err := s.reader.at.save(j.opts.Dir); err != nil { // as on a full disk: what is shipped may go all the same, at worst it is shipped again
		j.opts.Log.Warn("how far the journal is shipped cannot be saved", "dir", j.opts.Dir, "error", err)
	}
	killpoint.At(killpoint.AfterCheckpoint)
	for _, segment := range done {
		s.remove(segment)
	}
}

// remove takes a segment away that is through; one with an entry that was refused is kept under its other name.
func (s *Shipper) remove(one *segment) {
	j := s.journal
	var err error
	if s.refused {
		err = os.Rename(one.path, one.path+refusedSuffix)
		s.refused = false
	} else {
		err = os.Remove(one.path)
	}
	if err != nil {
		j.opts.Log.Warn("a segment of the journal that is shipped cannot be removed", "segment", one.path, "error", err)
	}
	j.shelf.drop(one)
}
