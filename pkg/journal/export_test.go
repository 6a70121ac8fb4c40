package journal

import (
	"maps"
	"time"
)

// EntryBytes are those of an entry as it is written.
func EntryBytes(at time.Time, payload []byte) []byte { return appendEntry(nil, at, payload) }

// Synced returns up to where the disk was told of each segment, from the first call of Watch on.
func (j *Journal) Synced() map[string]int64 {
	j.synced.mu.Lock()
	defer j.synced.mu.Unlock()
	sizes := map[string]int64{}
	for s, size := range maps.All(j.synced.known) {
		sizes[s.path] = size
	}
	return sizes
}

// Watch makes the journal remember what Synced returns.
func (j *Journal) Watch() {
	j.synced.mu.Lock()
	defer j.synced.mu.Unlock()
	j.synced.known = map[*segment]int64{}
}
