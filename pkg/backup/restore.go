package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore"
)

// unfinished is a file that a data folder has while a restore writes it.
const unfinished = "restore.unfinished"

// CheckFolder refuses a data folder that a restore has not finished. Codes: FailedPrecondition.
func CheckFolder(dir string) error {
	_, err := os.Stat(filepath.Join(dir, unfinished))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return apperror.Wrap(apperror.FailedPrecondition, err, "the restore of the data folder %s was not finished; run tasador restore again, which begins it anew", dir)
}

// CheckEmpty refuses a folder that something is in, unless that is what a restore did not finish. Files of locks do not count. Codes: FailedPrecondition,
// Unavailable.
func CheckEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read the folder %s; name another one with --data-dir", dir)
	}
	if CheckFolder(dir) != nil {
		return nil
	}
	for _, e := range entries {
		if !isLock(e.Name()) {
			return apperror.New(apperror.FailedPrecondition, "the folder %s is not empty: it has %s; name a new one with --data-dir", dir, e.Name())
		}
	}
	return nil
}

func isLock(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".lock-journal")
}

// restoration is a restore that is under way.
type restoration struct {
	*Target
	manifest  *Manifest
	dir       string
	root      *os.Root
	progress  func(Progress)
	files     atomic.Int64
	bytes     atomic.Int64
	mu        sync.Mutex
	databases []string
}

// Restore makes a data folder of a backup, in a folder that is empty and that no role runs on (see CheckEmpty). Until it is whole, roles refuse to run on it; if
// it fails, it is empty again. Codes: FailedPrecondition for a backup that is damaged or too new, those of the target.
func (t *Target) Restore(ctx context.Context, m *Manifest, dir string, progress func(Progress)) (err error) {
	for store, version := range m.Schemas {
		if newest := sqlstore.NewestSchema(store); version > newest {
			return apperror.New(apperror.FailedPrecondition,
				"the backup %s was made by tasador %s, whose %s database has schema version %d; this tasador knows only %d: restore it with that one or a newer", m.ID, m.Tasador, store, version, newest)
		}
	}
	cannot := func(err error) error {
		return apperror.Wrap(apperror.Unavailable, err, "cannot write in the data folder %s; choose a writable one with --data-dir", dir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return cannot(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return cannot(err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	r := &restoration{Target: t, manifest: m, dir: dir, root: root, progress: progress}
	if err := r.mark(); err != nil {
		return cannot(err)
	}
	if err := r.run(ctx); err != nil {
		return errors.Join(err, r.empty())
	}
	return r.unmark()
}

// mark says that the folder is not whole, before anything is in it.
func (r *restoration) mark() error {
	if err := r.root.WriteFile(unfinished, []byte(r.manifest.ID+"\n"), 0o600); err != nil {
		return err
	}
	return errors.Join(r.empty(unfinished), r.sync("."))
}

func (r *restoration) unmark() error {
	if err := r.root.Remove(unfinished); err != nil {
		return err
	}
	return r.sync(".")
}

// empty removes what is in the folder, but locks and what is kept. The mark goes last.
func (r *restoration) empty(kept ...string) error {
	entries, err := os.ReadDir(r.dir)
	for _, e := range entries {
		if !isLock(e.Name()) && e.Name() != unfinished {
			err = errors.Join(err, r.root.RemoveAll(e.Name()))
		}
	}
	if err == nil && !slices.Contains(kept, unfinished) {
		err = r.root.Remove(unfinished)
	}
	return err
}

func (r *restoration) sync(dir string) error {
	folder, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// run fetches all files, and then looks at the databases.
func (r *restoration) run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	err := r.each(ctx, r.manifest, func(f File) error {
		if inner.Err() != nil {
			return inner.Err()
		}
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return r.damaged(r.manifest.ID, listName)
		}
		group.Go(func() error { return r.fetch(inner, f) })
		return nil
	})
	if failed := group.Wait(); failed != nil {
		err = failed // that of each is only that it was stopped
	}
	if err != nil {
		return err
	}
	if n := r.files.Load(); n != r.manifest.Files {
		return r.damaged(r.manifest.ID, listName)
	}
	for _, name := range r.databases {
		if err := sqlstore.CheckFile(ctx, filepath.Join(r.dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

// fetch writes one file, and refuses it if it is not what was backed up.
func (r *restoration) fetch(ctx context.Context, f File) error {
	content, _, err := r.store.Open(ctx, f.at())
	if apperror.CodeOf(err) == apperror.NotFound {
		return r.missing(r.manifest.ID, f.Path)
	}
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // only read
	c := r.counted(ctx, content, r.told)
	if err := r.write(f, c); err != nil {
		return err
	}
	if c.sum() != f.SHA256 || c.size != f.Size {
		return r.damaged(r.manifest.ID, f.Path)
	}
	if f.At != "" {
		r.mu.Lock()
		r.databases = append(r.databases, f.Path)
		r.mu.Unlock()
	}
	r.files.Add(1)
	killpoint.At(killpoint.AfterRestoredFile)
	return nil
}

func (r *restoration) write(f File, content *counted) error {
	name := filepath.FromSlash(f.Path)
	cannot := func(err error) error {
		if content.fault != nil {
			return content.fault
		}
		return apperror.Wrap(apperror.Unavailable, err, "cannot write %s in the data folder %s; check its permissions and its disk", f.Path, r.dir)
	}
	dir := filepath.Dir(name)
	if err := r.root.MkdirAll(dir, 0o750); err != nil {
		return cannot(err)
	}
	file, err := r.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return cannot(err)
	}
	if _, err = io.Copy(file, content); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil && f.Modified > 0 {
		at := time.Unix(0, f.Modified)
		err = r.root.Chtimes(name, at, at)
	}
	if err == nil {
		err = r.sync(dir)
	}
	if err != nil {
		return cannot(err)
	}
	return nil
}

func (r *restoration) told(n int) {
	done := r.bytes.Add(int64(n))
	if r.progress != nil {
		r.progress(Progress{Files: r.files.Load(), Bytes: done, Total: r.manifest.Bytes})
	}
}

// Verify reads a backup and reports whether all of it is as it was written. Codes: FailedPrecondition if it is not, those of the target.
func (t *Target) Verify(ctx context.Context, m *Manifest, progress func(Progress)) error {
	var p Progress
	p.Total = m.Bytes
	err := t.each(ctx, m, func(f File) error {
		content, _, err := t.store.Open(ctx, f.at())
		if apperror.CodeOf(err) == apperror.NotFound {
			return t.missing(m.ID, f.Path)
		}
		if err != nil {
			return err
		}
		c := t.counted(ctx, content, func(n int) {
			p.Bytes += int64(n)
			if progress != nil {
				progress(p)
			}
		})
		_, err = io.Copy(io.Discard, c)
		if err = errors.Join(err, content.Close()); err != nil {
			return err
		}
		if c.sum() != f.SHA256 || c.size != f.Size {
			return t.damaged(m.ID, f.Path)
		}
		p.Files++
		return nil
	})
	if err == nil && p.Files != m.Files {
		return t.damaged(m.ID, listName)
	}
	return err
}
