package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"tasador/pkg/apperror"
)

// maxKeys is how many idempotency keys each group remembers; the oldest are forgotten.
const maxKeys = 10_000

// cursor remembers how far each group is and which batch each idempotency key got. Every change is on disk before it is told.
type cursor struct {
	path string
	mu   sync.Mutex
	kept kept
}

// kept is the content of the state file.
type kept struct {
	Fingerprint string        `json:"fingerprint"` // of the stock that the rest is about
	Groups      map[int]place `json:"groups"`      // by group number
}

// place is where one group stands.
type place struct {
	Next int          `json:"next"` // index of the batch that comes next
	Keys []keyedBatch `json:"keys"` // the oldest first
}

type keyedBatch struct {
	Key   string `json:"key"`
	Index int    `json:"index"` // the number of batches if there was none left
}

// openCursor reads the state file. One of another stock is of no use: its batches do not exist any more, so all groups start over.
func openCursor(path, fingerprint string, log *slog.Logger) (*cursor, error) {
	c := &cursor{path: path, kept: kept{Fingerprint: fingerprint, Groups: map[int]place{}}}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, apperror.New(apperror.Invalid, "the data folder %s cannot be made: %v; name another with --data-dir", filepath.Dir(path), pathCause(err))
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, c.save(c.kept) // an unwritable folder shows at once
	case err != nil:
		return nil, apperror.New(apperror.Invalid, "the state of the source, %s, cannot be read: %v", path, pathCause(err))
	}
	var old kept
	if err := json.Unmarshal(raw, &old); err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the state of the source, %s, is not readable; delete it to start with the first batch", path)
	}
	if old.Fingerprint != fingerprint {
		log.Info("the listings or their plan changed, so the source starts with the first batch", "was", old.Fingerprint, "is", fingerprint)
		return c, c.save(c.kept)
	}
	if old.Groups != nil {
		c.kept = old
	}
	return c, nil
}

// take returns the index of the batch for a request, total if none is left, and whether the key had got it before. Without a
// key every request gets the next batch.
func (c *cursor) take(group int, key string, total int) (index int, replay bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.kept.Groups[group]
	if key != "" {
		for _, k := range p.Keys {
			if k.Key == key {
				return k.Index, true, nil
			}
		}
	}
	index = min(p.Next, total)
	after := place{Next: min(index+1, total), Keys: p.Keys}
	if key != "" {
		kept := p.Keys[max(0, len(p.Keys)-maxKeys+1):]
		after.Keys = slices.Concat(kept, []keyedBatch{{Key: key, Index: index}})
	}
	return index, false, c.set(group, after)
}

// restart lets a group begin with the first batch again.
func (c *cursor) restart(group int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(group, place{Next: 0, Keys: c.kept.Groups[group].Keys})
}

// set changes the place of a group, first on disk.
func (c *cursor) set(group int, p place) error {
	after := kept{Fingerprint: c.kept.Fingerprint, Groups: map[int]place{}}
	for g, at := range c.kept.Groups {
		after.Groups[g] = at
	}
	after.Groups[group] = p
	if err := c.save(after); err != nil {
		return err
	}
	c.kept = after
	return nil
}

// save replaces the state file at once: a crash leaves the old one or the new one.
func (c *cursor) save(k kept) error {
	raw, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode the state of the source: %w", err)
	}
	if err := replaceFile(c.path, raw); err != nil {
		return apperror.New(apperror.Unavailable, "the source cannot write its state to %s: %v; check the data folder", c.path, pathCause(err))
	}
	return nil
}

func replaceFile(path string, content []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if _, err := tmp.Write(content); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename in the folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
