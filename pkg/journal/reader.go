package journal

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// reader reads batches of entries, each again until it is passed.
type reader struct {
	journal *Journal
	most    int        // entries of a batch
	at      checkpoint // before the batch
	file    *os.File
	segment *segment
	batch   []Entry
	end     checkpoint // behind the batch
	done    []*segment // through when the batch is passed
	bytes   int64      // of the batch
	through func(*segment)
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // only read
	}
	r.file, r.segment = nil, nil
}

// next returns the batch that comes, nothing if all is shipped.
func (r *reader) next() ([]Entry, error) {
	if len(r.batch) > 0 {
		return r.batch, nil
	}
	for {
		s := r.journal.shelf.first()
		if s == nil {
			return nil, nil
		}
		sealed := s.sealed.Load() // before the size: of a sealed one it is the last word
		if err := r.open(s); err != nil {
			if !r.journal.removed(err) {
				return nil, err
			}
			r.missing(s)
			continue
		}
		if err := r.read(s.size.Load()); err != nil {
			return nil, err
		}
		if len(r.batch) > 0 {
			if sealed && r.end.Offset >= s.size.Load() {
				r.done = append(r.done, s)
			}
			return r.batch, nil
		}
		if r.segment == nil { // it was damaged, and is gone
			continue
		}
		if !sealed {
			return nil, nil
		}
		r.close() // an empty one, or one that was passed before it was sealed
		r.through(s)
	}
}

func (r *reader) open(s *segment) error {
	if r.segment == s {
		return nil
	}
	r.close()
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	r.file, r.segment = file, s
	if r.at.ID != s.id {
		r.at = checkpoint{Number: s.number, ID: s.id, Offset: headerSize}
	}
	return nil
}

// read fills the batch from where it stands.
func (r *reader) read(size int64) error {
	r.end, r.bytes = r.at, 0
	if r.at.Offset >= size {
		return nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, r.at.Offset, size-r.at.Offset), int(min(readAhead, int64(r.most)*usualEntry, size-r.at.Offset)))
	for r.end.Offset < size && len(r.batch) < r.most && r.bytes < batchBytes {
		entry, err := readEntry(in, make([]byte, 0, usualEntry))
		if errors.Is(err, errTorn) {
			return r.damaged()
		}
		if err != nil {
			r.batch = nil
			return err
		}
		r.end.Offset += int64(len(entry))
		r.end.Sequence++
		r.bytes += int64(len(entry))
		r.batch = append(r.batch, Entry{Segment: r.segment.id, Sequence: r.end.Sequence, At: timeOf(entry), Payload: entry[entryHead:]})
	}
	return nil
}

// damaged ends a segment before its end: it was whole when it was written or opened, so that its disk or somebody else has changed it since. The entries before
// that place are shipped first.
func (r *reader) damaged() error {
	if len(r.batch) > 0 {
		return nil
	}
	j, s := r.journal, r.segment
	j.seal(s)
	kept := s.path + ".damaged"
	if err := os.Rename(s.path, kept); err != nil {
		return err
	}
	at := r.at.Offset
	j.opts.Log.Error("a segment of the journal was damaged on the disk; what follows cannot be shipped", "segment", s.path, "at", at, "entries", r.abandon(s), "kept", kept)
	return nil
}

// missing gives up a segment whose file somebody has removed: the others must not wait for it.
func (r *reader) missing(s *segment) {
	r.journal.seal(s)
	r.journal.opts.Log.Error("a segment of the journal was removed before it was shipped", "segment", s.path, "entries", r.abandon(s))
}

// abandon takes a sealed segment off the shelf, and returns how many of its entries were not shipped.
func (r *reader) abandon(s *segment) (lost int64) {
	at, b := checkpoint{Offset: headerSize}, &r.journal.backlog
	if r.at.ID == s.id {
		at = r.at
	}
	lost = s.entries.Load() - at.Sequence
	r.close()
	r.journal.shelf.drop(s)
	b.shippedBytes.Add(s.size.Load() - at.Offset)
	b.shipped.Add(lost)
	b.lost.Add(lost)
	return lost
}

// pass moves behind the batch and returns the segments that are through.
func (r *reader) pass() []*segment {
	b := &r.journal.backlog
	b.shippedBytes.Add(r.bytes)
	b.shipped.Add(int64(len(r.batch)))
	done := r.done
	r.at, r.batch, r.done = r.end, nil, nil
	at := r.at
	b.at.Store(&at)
	if len(done) > 0 {
		r.close()
	}
	return done
}
