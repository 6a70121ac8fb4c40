package mlflowimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/killpoint"
	"tasador/pkg/trackingclient"
)

// copyTries is how often a file is read that comes short or longer than it was listed.
const copyTries = 3

// copier copies the files of one run or logged model.
type copier struct {
	*importer
	of   string
	from trackingclient.Holder
	held bool // read by the calls of the source for what it holds, not by its artifact proxy
	to   artifact.Store
	root string // in to
	work *errgroup.Group
}

// copyFiles copies the files of a run or a logged model that are not here yet in their size, and counts them on both sides. What cannot be
// read is named in the report and ends nothing.
func (i *importer) copyFiles(ctx context.Context, of string, from trackingclient.Holder, to string) error {
	store, root, err := i.files.Find(to)
	if err != nil {
		return fmt.Errorf("%s: %w", of, err)
	}
	c := &copier{importer: i, of: of, from: from, to: store, root: root, held: i.isHeld(from.ArtifactURI)}
	list, err := c.list(ctx, "")
	if err != nil && ctx.Err() == nil && !c.held {
		first := err
		c.held = true
		if list, err = c.list(ctx, ""); err != nil {
			err = errors.Join(first, err)
		} else {
			i.hold(from.ArtifactURI, of)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		i.misses("%s: its artifacts at %s cannot be read: %s", of, from.ArtifactURI, apperror.MessageOf(err))
		return nil
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(i.opt.Parallel)
	c.work = work
	walked := c.folder(workCtx, "", list)
	if err := errors.Join(walked, work.Wait()); err != nil {
		return err
	}
	return ctx.Err()
}

// placeOf is what artifacts have in common that are reached in the same way.
func placeOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return u.Scheme + "://" + u.Host
}

// isHeld reports whether artifacts are known to be reached only through the source.
func (i *importer) isHeld(uri string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.throughServer[placeOf(uri)]
}

// hold remembers that artifacts are reached only through the source, and says so the first time.
func (i *importer) hold(uri, of string) {
	i.mu.Lock()
	known := i.throughServer[placeOf(uri)]
	i.throughServer[placeOf(uri)] = true
	i.mu.Unlock()
	if !known {
		i.notice("artifacts such as those of %s (%s) were read through the server there; what its clients kept in such a place on other machines it does not see", of, uri)
	}
}

func (c *copier) list(ctx context.Context, folder string) ([]artifact.Info, error) {
	if c.held {
		return c.client.ListHeld(ctx, c.from, folder)
	}
	return c.client.ListArtifacts(ctx, c.from.ArtifactURI, folder)
}

func (c *copier) open(ctx context.Context, name string) (io.ReadCloser, artifact.Info, error) {
	if c.held {
		return c.client.OpenHeld(ctx, c.from, name)
	}
	return c.client.OpenArtifact(ctx, c.from.ArtifactURI, name)
}

// folder copies what a folder holds, and what is below it. Files are copied by the group.
func (c *copier) folder(ctx context.Context, folder string, list []artifact.Info) error {
	here, err := c.sizes(ctx, folder)
	if err != nil {
		return err
	}
	for _, f := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !f.IsDir {
			size, is := here[f.Path]
			c.work.Go(func() error { return c.file(ctx, f, is && size == f.Size) })
			continue
		}
		inside, err := c.list(ctx, f.Path)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.misses("%s: its artifacts in %s cannot be read: %s", c.of, f.Path, apperror.MessageOf(err))
			continue
		}
		if err := c.folder(ctx, f.Path, inside); err != nil {
			return err
		}
	}
	return nil
}

// sizes returns the files of a folder that are here.
func (c *copier) sizes(ctx context.Context, folder string) (map[string]int64, error) {
	list, err := c.to.List(ctx, path.Join(c.root, folder))
	if apperror.CodeOf(err) == apperror.Invalid && err != nil {
		return map[string]int64{}, nil // such a path cannot be kept here; its files say so
	}
	sizes := map[string]int64{}
	for _, f := range list {
		if !f.IsDir {
			sizes[path.Join(folder, path.Base(f.Path))] = f.Size
		}
	}
	return sizes, err
}

// file copies a file unless it is here, and counts it.
func (c *copier) file(ctx context.Context, f artifact.Info, isHere bool) error {
	size := f.Size
	if !isHere {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		size, err = c.copyFile(ctx, f)
		<-c.slots
		if err != nil {
			return c.failed(ctx, f, err)
		}
		killpoint.At(killpoint.AfterImportedFile)
		c.did(func(p *Progress) { p.Files, p.Bytes = p.Files+1, p.Bytes+size })
		if err := c.verify(ctx, f.Path, size); err != nil {
			return c.failed(ctx, f, err)
		}
	}
	c.add(size, size, true)
	return nil
}

// add counts a file and its bytes.
func (c *copier) add(there, here int64, isHere bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files, bytes := &c.report.Counts[Files], &c.report.Counts[Bytes]
	files.There++
	if isHere {
		files.Here++
	}
	bytes.There, bytes.Here = bytes.There+there, bytes.Here+here
}

// failed names a file that could not be copied. It is an error only if nothing else can be either.
func (c *copier) failed(ctx context.Context, f artifact.Info, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var mine *storeError
	if errors.As(err, &mine) && apperror.CodeOf(mine.err) != apperror.Invalid {
		return fmt.Errorf("store %s of %s: %w", f.Path, c.of, mine.err)
	}
	why := apperror.MessageOf(err)
	if code := apperror.CodeOf(err); code == apperror.FailedPrecondition || code == apperror.NotFound { // the server itself answers
		why = "it is listed there, but cannot be had (" + why + ")"
	}
	c.misses("%s: the artifact %s was not copied: %s", c.of, f.Path, why)
	c.add(f.Size, 0, false)
	return nil
}

// storeError is one of the store here.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// copyFile streams a file into the store here and returns its size. One that breaks off is stored neither whole nor in part.
func (c *copier) copyFile(ctx context.Context, f artifact.Info) (int64, error) {
	var last error
	for range copyTries {
		n, err := c.copyOnce(ctx, f)
		if err == nil {
			return n, nil
		}
		last = err
		if ctx.Err() != nil || apperror.CodeOf(err) != apperror.Unavailable {
			break
		}
	}
	return 0, last
}

func (c *copier) copyOnce(ctx context.Context, f artifact.Info) (int64, error) {
	body, info, err := c.open(ctx, f.Path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // it was read, or is of no use
	whole := &wholeReader{r: body, name: f.Path, want: info.Size}
	if f.Size > 0 {
		whole.want = f.Size
	}
	err = c.to.Put(ctx, path.Join(c.root, f.Path), whole)
	switch {
	case whole.err != nil:
		return 0, whole.err
	case err != nil:
		return 0, &storeError{err}
	}
	return whole.n, nil
}

// verify looks whether the store has a file in its size.
func (c *copier) verify(ctx context.Context, name string, size int64) error {
	file, info, err := c.to.Open(ctx, path.Join(c.root, name))
	if err != nil {
		return &storeError{err}
	}
	if err := file.Close(); err != nil {
		return &storeError{err}
	}
	if info.Size != size {
		return apperror.New(apperror.Unavailable, "%d of its %d bytes are here", info.Size, size)
	}
	return nil
}

// wholeReader is a reader that fails at its end if it had another length than it was to have; -1 is any.
type wholeReader struct {
	r    io.Reader
	name string
	want int64
	n    int64
	err  error // why it cannot be read
}

// Read reads on.
func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		w.err = apperror.Wrap(apperror.Unavailable, err, "the download of %s broke off", w.name)
	case w.want >= 0 && w.n != w.want:
		w.err = apperror.New(apperror.Unavailable, "%d bytes of %s came, and it has %d", w.n, w.name, w.want)
	default:
		return n, err
	}
	return n, w.err
}
