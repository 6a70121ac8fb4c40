package datasetstore

import (
	"sync"

	"tasador/pkg/killpoint"
)

// chunksUnderWay is how many chunks a loader has: one is filled while the other is inserted, and one lies between.
const chunksUnderWay = 3

// loader inserts chunks in a goroutine of its own while the next one is filled. Always call finish.
type loader struct {
	current chunk
	empty   chan chunk
	filled  chan chunk
	failed  chan struct{} // closed when err is set
	done    chan struct{}
	err     error // of the first chunk that could not be inserted
	finish  func() error
}

// startLoader begins; insert is called with one chunk after the other, never twice at a time.
func startLoader(newChunk func() chunk, insert func(chunk) error) *loader {
	l := &loader{
		empty: make(chan chunk, chunksUnderWay), filled: make(chan chunk, chunksUnderWay), failed: make(chan struct{}), done: make(chan struct{}),
	}
	for range chunksUnderWay {
		l.empty <- newChunk()
	}
	l.current = <-l.empty
	l.finish = sync.OnceValue(l.end)
	go func() {
		defer close(l.done)
		for c := range l.filled {
			if l.err != nil {
				continue
			}
			if l.err = insert(c); l.err != nil {
				close(l.failed)
				continue
			}
			c.reset()
			l.empty <- c
		}
	}()
	return l
}

// row is where the values of the next row go; endRow ends it.
func (l *loader) row() chunk { return l.current }

// endRow ends a row and hands over the chunk if it is full. The error is that of an earlier chunk.
func (l *loader) endRow() error {
	l.current.end()
	if !l.current.full() && (killpoint.ChunkRows == 0 || l.current.len() < killpoint.ChunkRows) {
		return nil
	}
	l.filled <- l.current // there is room for all chunks
	select {
	case l.current = <-l.empty:
		return nil
	case <-l.failed:
		l.current = nil
		return l.err
	}
}

// end inserts what is left and waits for it.
func (l *loader) end() error {
	if l.current != nil && l.current.len() > 0 {
		l.filled <- l.current
	}
	close(l.filled)
	<-l.done
	return l.err
}
