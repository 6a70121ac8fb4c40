package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
)

// Artifacts are copied several at once, most of whose time is that of the way to the target.
const (
	parallel = 4
	batch    = 64
)

// walkArtifacts calls fn with the files of the artifact folder in the order of inOrder. What is removed meanwhile is left out.
func (c *creation) walkArtifacts(fn func(name string, info fs.FileInfo) error) error {
	if c.places.artifacts == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(c.places.artifacts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return apperror.Wrap(apperror.Unavailable, err, "cannot read the artifact folder %s; run the backup as the user that runs the roles", root)
		}
		name, err := filepath.Rel(root, file)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == ".uploads":
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(name), info)
	})
}

// inOrder is a text that compares as a walk goes: folders as their names, and not as what follows these.
func inOrder(p string) string { return strings.ReplaceAll(p, "/", "\x00") }

// earlier is the list of the backup before: few files that come first, and then the artifacts in their order.
type earlier struct {
	files map[string]File
	list  *spooled // nil if there is none
	dec   *json.Decoder
	below string
	next  File
	sure  int64 // files that were changed after it are looked at again
}

// openEarlier opens the list of the backup before. One that is damaged is no help, and no harm.
func (c *creation) openEarlier(ctx context.Context, m *Manifest) (*earlier, error) {
	if m == nil || c.opts.Full {
		return &earlier{}, nil
	}
	list, err := c.spool(ctx, path.Join(backupsFolder, m.ID, listName), m.ListSHA256)
	if apperror.CodeOf(err) == apperror.FailedPrecondition {
		return &earlier{}, nil
	}
	if err != nil {
		return nil, err
	}
	e := &earlier{files: map[string]File{}, list: list, dec: json.NewDecoder(list.reader()), below: c.places.at + "/", sure: m.Begun.Add(-since).UnixNano()}
	e.advance()
	return e, nil
}

// advance goes to the next artifact of the list.
func (e *earlier) advance() {
	for e.dec != nil {
		e.next = File{}
		if e.dec.Decode(&e.next) != nil {
			e.dec = nil
			return
		}
		switch {
		case e.next.At != "" || !e.next.usable():
		case strings.HasPrefix(e.next.Path, e.below):
			return
		default:
			e.files[e.next.Path] = e.next
		}
	}
}

// find returns what the list says of a path. Paths must come in their order.
func (e *earlier) find(p string) (File, bool) {
	for e.dec != nil && inOrder(e.next.Path) < inOrder(p) {
		e.advance()
	}
	if e.dec == nil || e.next.Path != p {
		return File{}, false
	}
	return e.next, true
}

// unchanged reports whether a file is what the list says, by its size and time.
func (e *earlier) unchanged(known File, size, modified int64) bool {
	return known.Size == size && known.Modified == modified && modified < e.sure
}

func (e *earlier) drop() {
	if e.list != nil {
		e.list.drop()
	}
}

// work is an artifact that may have to be copied.
type work struct {
	File
	known  string // hash in the backup before
	done   bool   // nothing has to be read
	gone   bool
	copied int64
}

// copyArtifacts copies what the backup before has not, and notes all.
func (c *creation) copyArtifacts(ctx context.Context, before *earlier) error {
	var some []*work
	flush := func() error {
		err := c.copySome(ctx, some)
		some = some[:0]
		return err
	}
	err := c.walkArtifacts(func(name string, info fs.FileInfo) error {
		w := &work{File: File{Path: path.Join(c.places.at, name), Size: info.Size(), Modified: info.ModTime().UnixNano()}}
		if known, ok := before.find(w.Path); ok {
			w.known = known.SHA256
			if before.unchanged(known, w.Size, w.Modified) {
				w.SHA256, w.done = known.SHA256, true
			}
		}
		if some = append(some, w); len(some) < batch {
			return nil
		}
		return flush()
	})
	return errors.Join(err, flush())
}

func (c *creation) copySome(ctx context.Context, some []*work) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, w := range some {
		if w.done {
			c.told(int(w.Size))
			continue
		}
		group.Go(func() error { return c.copyArtifact(ctx, w) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, w := range some {
		if w.gone {
			continue
		}
		c.manifest.Copied += w.copied
		if err := c.note(w.File); err != nil {
			return err
		}
	}
	return nil
}

// copyArtifact reads an artifact, and copies it if the backup before has another content or none. Artifacts are replaced as a whole, so what is opened stays.
func (c *creation) copyArtifact(ctx context.Context, w *work) error {
	name, err := filepath.Rel(filepath.FromSlash(c.places.at), filepath.FromSlash(w.Path))
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(c.places.artifacts, name))
	if errors.Is(err, fs.ErrNotExist) {
		w.gone = true
		return nil
	}
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read the artifact %s; run the backup as the user that runs the roles", w.Path)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	hash := c.counted(ctx, file, nil)
	if _, err := io.Copy(io.Discard, hash); err != nil {
		return err
	}
	w.Size, w.Modified, w.SHA256 = hash.size, info.ModTime().UnixNano(), hash.sum()
	if w.SHA256 == w.known {
		c.told(int(w.Size))
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w.copied = w.Size
	return c.putObject(ctx, w.File, c.counted(ctx, file, c.told))
}

// prune removes all finished backups but the newest, and what only they had.
func (c *creation) prune(ctx context.Context, keep int) error {
	if keep <= 0 {
		return nil
	}
	finished, _, err := c.ids(ctx)
	if err != nil || len(finished) <= keep {
		return err
	}
	for _, id := range finished[:len(finished)-keep] {
		folder := path.Join(backupsFolder, id)
		// Without its manifest it is none, whatever happens next.
		if err := errors.Join(c.store.Delete(ctx, path.Join(folder, manifestName)), c.store.Delete(ctx, folder)); err != nil {
			return err
		}
	}
	return c.sweep(ctx, finished[len(finished)-keep:])
}

// sweep removes the objects that none of the backups has. If one of them cannot be read, all objects stay.
func (c *creation) sweep(ctx context.Context, ids []string) error {
	used := map[string]bool{}
	for _, id := range ids {
		m, err := c.Target.manifest(ctx, id)
		if err == nil {
			err = c.each(ctx, m, func(f File) error {
				used[f.SHA256] = true
				return nil
			})
		}
		if err != nil {
			return apperror.Wrap(apperror.CodeOf(err), err, "the new backup is whole, but of the old ones the files stay")
		}
	}
	folders, err := c.store.List(ctx, objectsFolder)
	for _, folder := range folders {
		var objects []fileInfo
		if err == nil {
			objects, err = c.store.List(ctx, folder.Path)
		}
		for _, o := range objects {
			if err == nil && !used[path.Base(o.Path)] {
				err = c.store.Delete(ctx, o.Path)
			}
		}
	}
	return err
}
