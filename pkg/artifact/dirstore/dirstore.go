// Package dirstore is an artifact.Store on a folder of this machine. All access goes through os.Root, so that neither a path nor a
// symbolic link leads out of the folder.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/writable"
)

// uploads is the folder of files that are still being written; no client can name it.
const uploads = ".uploads"

// Store keeps artifacts in a folder.
type Store struct {
	root  *os.Root
	dir   string
	probe *writable.Probe
}

var _ artifact.Store = (*Store)(nil)

// Open opens the folder dir, which is made if it is missing, and drops what an earlier process did not finish to write.
// Codes: Unavailable.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the artifact folder %s; check that its parent is writable", dir)
	}
	s, err := Join(dir)
	if err != nil {
		return nil, err
	}
	if err = s.root.RemoveAll(uploads); err == nil {
		err = s.root.Mkdir(uploads, 0o750)
	}
	if err != nil {
		_ = s.Close() // the first error is the one that matters
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot write into the artifact folder %s; check its permissions", dir)
	}
	return s, nil
}

// Join opens a folder that another process may be writing to. Codes: Unavailable.
func Join(dir string) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot open the artifact folder %s", dir)
	}
	what := "the artifact folder " + dir
	return &Store{root, dir, writable.NewProbe(what, func() error { return writable.Try(root, filepath.Join(uploads, "probe"), what) })}, nil
}

// Make is Join that makes the folder if it is missing. Codes: Unavailable.
func Make(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, uploads), 0o750); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the artifact folder %s; check that its parent is writable", dir)
	}
	return Join(dir)
}

// inPlace reports whether the folder still stands where it was opened: an empty list would look as if nothing had been stored. Codes: Unavailable.
func (s *Store) inPlace() error {
	opened, err := s.root.Stat(".")
	if err != nil {
		return fmt.Errorf("artifact folder %s: %w", s.dir, err)
	}
	now, err := os.Stat(s.dir)
	if err != nil || !os.SameFile(opened, now) {
		return apperror.Wrap(apperror.Unavailable, err, "the artifact folder %s was moved, replaced or deleted; put it back, then start tracking again", s.dir)
	}
	return nil
}

// Ping reports whether artifacts can be stored. Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.inPlace(); err != nil {
		return err
	}
	return s.probe.Check(ctx)
}

// Close closes the folder.
func (s *Store) Close() error { return s.root.Close() }

// check returns the path as the file system names it. Codes: Invalid.
func check(p string) (string, error) {
	if err := artifact.CheckPath(p); err != nil {
		return "", err
	}
	p = path.Clean("/" + p)[1:]
	if p == uploads || strings.HasPrefix(p, uploads+"/") {
		return "", apperror.New(apperror.Invalid, "Invalid path %q: the name is reserved", p)
	}
	return filepath.FromSlash(p), nil
}

// Put stores a file whole or not at all: it is written aside, flushed to disk and then renamed.
func (s *Store) Put(ctx context.Context, p string, r io.Reader) error {
	name, err := check(p)
	if err != nil {
		return err
	}
	if name == "" || strings.HasSuffix(p, "/") {
		return apperror.New(apperror.Invalid, "Invalid path %q: a file needs a name", p)
	}
	if err := s.inPlace(); err != nil {
		return err
	}
	aside := filepath.Join(uploads, uuid.NewString())
	if err := s.write(ctx, aside, r); err != nil {
		return errors.Join(err, s.remove(aside))
	}
	if err := s.place(aside, name); err != nil {
		return errors.Join(translate(err, p), s.remove(aside))
	}
	return nil
}

func (s *Store) remove(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an unfinished upload: %w", err)
	}
	return nil
}

// contextReader ends a copy when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (s *Store) write(ctx context.Context, name string, r io.Reader) error {
	file, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return cannotStore(err)
	}
	if _, err = io.Copy(file, contextReader{ctx, r}); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return cannotStore(err)
	}
	return nil
}

// cannotStore says what the folder lacks; what the reader had to say is left as it is. Codes: Unavailable.
func cannotStore(err error) error {
	var pe *fs.PathError
	if !errors.As(err, &pe) {
		return fmt.Errorf("write an upload: %w", err)
	}
	return apperror.Wrap(apperror.Unavailable, err,
		"the artifact cannot be stored: %v; check the folder of the artifacts, and restart tracking if the folder was removed or replaced", pe.Err)
}

func (s *Store) place(aside, name string) error {
	dir := filepath.Dir(name)
	if err := s.root.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := s.root.Rename(aside, name); err != nil {
		return err
	}
	folder, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// translate gives the errors of the file system a code.
func translate(err error, p string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return apperror.Wrap(apperror.NotFound, err, "No such artifact: %s", p)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.ENOTEMPTY):
		return apperror.Wrap(apperror.Invalid, err, "Invalid path %q: a file stands where a folder is needed, or the other way round", p)
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ELOOP), escapes(err):
		return apperror.Wrap(apperror.Invalid, err, "Invalid path %q: it cannot be the name of a file here", p)
	}
	return fmt.Errorf("artifact %s: %w", p, err)
}

// escapes reports whether os.Root refused to leave the folder; it has no error value for that.
func escapes(err error) bool {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return strings.Contains(err.Error(), "escapes")
}

// Open returns a file's content and size.
func (s *Store) Open(_ context.Context, p string) (io.ReadSeekCloser, artifact.Info, error) {
	name, err := check(p)
	if err != nil {
		return nil, artifact.Info{}, err
	}
	if err := s.inPlace(); err != nil {
		return nil, artifact.Info{}, err
	}
	if name == "" {
		name = "."
	}
	info, err := s.root.Stat(name)
	if err != nil {
		return nil, artifact.Info{}, translate(err, p)
	}
	if !info.Mode().IsRegular() {
		return nil, artifact.Info{}, apperror.New(apperror.Invalid, "Artifact path refers to a directory, not a file: '%s'", p)
	}
	file, err := s.root.Open(name)
	if err != nil {
		return nil, artifact.Info{}, translate(err, p)
	}
	etag := fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
	return file, artifact.Info{Path: p, Size: info.Size(), ETag: etag}, nil
}

// List returns the direct children of a folder. What is neither a file nor a folder below the root is left out.
func (s *Store) List(_ context.Context, p string) ([]artifact.Info, error) {
	name, err := check(p)
	if err != nil {
		return nil, err
	}
	if err := s.inPlace(); err != nil {
		return nil, err
	}
	if name == "" {
		name = "."
	}
	info, err := s.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || (err == nil && !info.IsDir()) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err, p)
	}
	folder, err := s.root.Open(name)
	if err != nil {
		return nil, translate(err, p)
	}
	entries, err := folder.ReadDir(-1)
	if err = errors.Join(err, folder.Close()); err != nil {
		return nil, translate(err, p)
	}
	var out []artifact.Info
	for _, e := range entries {
		if name == "." && e.Name() == uploads {
			continue
		}
		info, err := s.root.Stat(filepath.Join(name, e.Name()))
		if err != nil || (!info.IsDir() && !info.Mode().IsRegular()) {
			continue
		}
		child := artifact.Info{Path: path.Join(p, e.Name()), IsDir: info.IsDir()}
		if !info.IsDir() {
			child.Size = info.Size()
		}
		out = append(out, child)
	}
	slices.SortFunc(out, func(a, b artifact.Info) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// Delete removes a file or a folder with its content. The root itself stays.
func (s *Store) Delete(_ context.Context, p string) error {
	name, err := check(p)
	if err != nil {
		return err
	}
	if name == "" {
		return apperror.New(apperror.Invalid, "Invalid path %q: name what to delete", p)
	}
	if err := s.root.RemoveAll(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return translate(err, p)
	}
	return nil
}
