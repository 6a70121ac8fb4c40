package pricemodel

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/listingapi"
	"tasador/pkg/writable"
)

// keptPayloads is how many payloads are kept, the newest; their rows are in RawData by then.
const keptPayloads = 10

// payloads keeps what the data API answered, one file for each DAG run, so that a retry need not ask again: what the source has
// handed out it may not hand out a second time.
type payloads struct {
	dir   string
	probe *writable.Probe
}

func newPayloads(dir string) payloads {
	what := "the folder " + dir
	// The name is of those that a start removes.
	return payloads{dir: dir, probe: writable.NewProbe(what, func() error { return writable.TryDir(dir, strings.ReplaceAll(fetching, "*", "probe"), what) })}
}

// fetching is the pattern of the names of answers that are under way.
const fetching = "fetch-*.tmp"

// prepare makes the folder, and removes what a process that was killed while it fetched has left in it.
func (p payloads) prepare() error {
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot make the folder %s; check that its parent is writable", p.dir)
	}
	left, err := filepath.Glob(filepath.Join(p.dir, fetching))
	if err != nil {
		return p.failed(err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p.failed(err)
		}
	}
	return nil
}

// path is where the payload of a DAG run is kept.
func (p payloads) path(dagRunID string) string {
	return filepath.Join(p.dir, fileName(dagRunID)+".json")
}

// maxFileName leaves room for what is added to the name.
const maxFileName = 180

// fileName makes a DAG run id a plain file name. Different ids have different names.
func fileName(dagRunID string) string {
	var b strings.Builder
	for i := range len(dagRunID) {
		c := dagRunID[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '+', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) <= maxFileName {
		return name
	}
	sum := sha256.Sum256([]byte(dagRunID))
	return name[:maxFileName-33] + "%" + hex.EncodeToString(sum[:16])
}

// has reports whether the payload of a DAG run is kept.
func (p payloads) has(dagRunID string) (bool, error) {
	_, err := os.Stat(p.path(dagRunID))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, p.failed(err)
	}
	return true, nil
}

// fetch asks the source and keeps its answer: it is on the disk, whole, when fetch returns.
func (p payloads) fetch(ctx context.Context, source *listingapi.Client, req listingapi.Request) error {
	f, err := os.CreateTemp(p.dir, fetching)
	if err != nil {
		return p.failed(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then, or is worthless
	answer, err := source.Fetch(ctx, req, f)
	killpoint.At(killpoint.AfterAnswer)
	if err == nil && answer.Finished {
		err = writeFinished(f)
	}
	if err == nil {
		err = p.failed(f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), p.path(req.IdempotencyKey)); err != nil {
		return p.failed(err)
	}
	return p.syncDir()
}

// writeFinished replaces the source's word that it has no more, which need not be JSON, by one that can be replayed.
func writeFinished(f *os.File) error {
	text, err := json.Marshal(map[string]string{"detail": listingapi.ExhaustedDetail})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return err
}

func (p payloads) syncDir() error {
	d, err := os.Open(p.dir)
	if err != nil {
		return p.failed(err)
	}
	return p.failed(errors.Join(d.Sync(), d.Close()))
}

func (p payloads) failed(err error) error {
	if err == nil {
		return nil
	}
	return apperror.Wrap(apperror.Unavailable, err, "cannot keep the answer of the data API in %s; check that the folder is writable and has space", p.dir)
}

// payload is what reading a kept payload found.
type payload struct {
	listingapi.Batch
	listingapi.Report
	sha256 string
}

// info returns when the kept payload of a DAG run came, and its size in bytes.
func (p payloads) info(dagRunID string) (fetchedAt time.Time, size int64, err error) {
	info, err := os.Stat(p.path(dagRunID))
	if err != nil {
		return time.Time{}, 0, p.failed(err)
	}
	return info.ModTime().UTC().Truncate(time.Microsecond), info.Size(), nil
}

// read decodes the payload of a DAG run. unreadable is set if it is the payload that is at fault.
func (p payloads) read(ctx context.Context, dagRunID string, each func(listingapi.Row) error) (_ payload, unreadable bool, err error) {
	f, err := os.Open(p.path(dagRunID))
	if err != nil {
		return payload{}, false, p.failed(err)
	}
	defer func() { _ = f.Close() }() // only read
	var out payload
	hash := sha256.New()
	var failed error
	out.Batch, out.Report, err = listingapi.DecodeRows(ctx, io.TeeReader(f, hash), func(row listingapi.Row) error {
		failed = each(row)
		return failed
	})
	if err != nil {
		return payload{}, failed == nil && apperror.CodeOf(err) == apperror.Invalid, err
	}
	out.sha256 = hex.EncodeToString(hash.Sum(nil))
	return out, false, nil
}

// setAside renames a payload that cannot be read, so that a person can look at it and the next try asks again.
func (p payloads) setAside(dagRunID string) (string, error) {
	to := strings.TrimSuffix(p.path(dagRunID), ".json") + ".unreadable"
	if err := os.Rename(p.path(dagRunID), to); err != nil {
		return "", p.failed(err)
	}
	return to, p.syncDir()
}

// prune removes all but the newest payloads.
func (p payloads) prune() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return p.failed(err)
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or none of ours
		}
		files = append(files, file{e.Name(), info.ModTime()})
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.name, b.name)) })
	for _, f := range files[min(len(files), keptPayloads):] {
		if err := os.Remove(filepath.Join(p.dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p.failed(err)
		}
	}
	return nil
}
