package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore"
)

// Options say how a backup is made. Config has its defaults.
type Options struct {
	Config   *config.Config
	Tasador  string // version of the program
	Keep     int    // backups that stay, with the new one; 0 for all
	Full     bool   // copies also what an earlier backup has
	Progress func(Progress)
}

// Progress is how far a backup, a check or a restore is.
type Progress struct {
	Files, Bytes, Total int64 // Total is what Bytes will be
}

// creation is a backup that is being made.
type creation struct {
	*Target
	opts     Options
	places   places
	manifest *Manifest
	list     *spooled
	files    atomic.Int64
	bytes    atomic.Int64
	total    int64
}

// identity is the file that says which installation a data folder belongs to, and lockName the one that keeps two backups of it apart.
const (
	identity = "backup.id"
	lockName = "backup.lock"
)

// Create makes a backup of the data folder, beside roles that may run on it. Codes: FailedPrecondition if another one is being made or the target is that of
// another data folder, NotFound if there is nothing to copy, those of the target.
func (t *Target) Create(ctx context.Context, opts Options) (_ *Manifest, err error) {
	c := &creation{Target: t, opts: opts, manifest: &Manifest{Format: format, Tasador: opts.Tasador, Schemas: map[string]int64{}}}
	if c.places, err = find(opts.Config); err != nil {
		return nil, err
	}
	c.manifest.Elsewhere = c.places.elsewhere
	if _, err := os.Stat(c.places.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, apperror.New(apperror.NotFound, "there is no data folder %s; check --data-dir", c.places.dir)
	}
	if err := CheckFolder(c.places.dir); err != nil {
		return nil, err
	}
	lock, err := sqlstore.AcquireLock(ctx, filepath.Join(c.places.dir, lockName), "another backup of the data folder "+c.places.dir+" is being made; wait until it is done")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	before, err := c.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if c.list, err = newSpool(); err != nil {
		return nil, err
	}
	defer c.list.drop()
	if err := c.copyAll(ctx, before); err != nil {
		return nil, err
	}
	if err := c.finish(ctx); err != nil {
		return nil, err
	}
	return c.manifest, c.prune(ctx, opts.Keep)
}

// prepare finds out whether the target is ours, drops what was never finished in it, and returns the newest backup in it, nil if there is none.
func (c *creation) prepare(ctx context.Context) (*Manifest, error) {
	id, err := c.installation()
	if err != nil {
		return nil, err
	}
	finished, unfinished, err := c.ids(ctx)
	if err != nil {
		return nil, err
	}
	var newest *Manifest
	if len(finished) > 0 {
		newest, err = c.Target.manifest(ctx, finished[len(finished)-1])
		if apperror.CodeOf(err) == apperror.FailedPrecondition {
			newest, err = nil, nil // then nothing of it is taken over
		}
		if err != nil {
			return nil, err
		}
	}
	if newest != nil && newest.Installation != id {
		return nil, apperror.New(apperror.FailedPrecondition, "%s has backups of another data folder than %s; give each a folder or a prefix of its own", c.name, c.places.dir)
	}
	for _, one := range unfinished {
		if err := c.store.Delete(ctx, path.Join(backupsFolder, one)); err != nil {
			return nil, err
		}
	}
	c.manifest.Installation, c.manifest.Begun = id, time.Now().UTC().Truncate(time.Millisecond)
	c.manifest.ID = c.manifest.Begun.Format(idLayout)
	if newest != nil && newest.ID >= c.manifest.ID {
		return nil, apperror.New(apperror.FailedPrecondition, "%s has a backup from the future, %s; set the clock of this machine", c.name, newest.ID)
	}
	return newest, nil
}

// installation reads which one the data folder belongs to; the first backup decides.
func (c *creation) installation() (string, error) {
	file := filepath.Join(c.places.dir, identity)
	cannot := func(err error) error {
		return apperror.Wrap(apperror.Unavailable, err, "cannot keep the file %s; run the backup as the user that runs the roles", file)
	}
	content, err := os.ReadFile(file)
	if id, wrong := uuid.ParseBytes(content); err == nil && wrong == nil {
		return id.String(), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", cannot(err)
	}
	id := uuid.NewString()
	if err := os.WriteFile(file, []byte(id), 0o600); err != nil {
		return "", cannot(err)
	}
	return id, nil
}

// copyAll copies what the data folder has.
func (c *creation) copyAll(ctx context.Context, before *Manifest) error {
	earlier, err := c.openEarlier(ctx, before)
	if err != nil {
		return err
	}
	defer earlier.drop()
	m, err := c.places.take(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	if err := c.measure(m); err != nil {
		return err
	}
	for _, d := range m.databases {
		if err := c.copyDatabase(ctx, d); err != nil {
			return err
		}
	}
	for _, f := range m.files {
		if err := c.copyFile(ctx, f, earlier.files[f.path].SHA256); err != nil {
			return err
		}
	}
	if err := c.copyArtifacts(ctx, earlier); err != nil {
		return err
	}
	if c.files.Load() <= 1 { // the file that names the installation
		return apperror.New(apperror.NotFound, "there is nothing to back up in %s; check --data-dir and the settings that the roles run with", c.places.dir)
	}
	return nil
}

// measure adds up how much there is to copy.
func (c *creation) measure(m *moment) error {
	for _, d := range m.databases {
		c.total += d.Size()
	}
	for _, f := range m.files {
		c.total += f.size
	}
	return c.walkArtifacts(func(_ string, info fs.FileInfo) error {
		c.total += info.Size()
		return nil
	})
}

func (c *creation) told(n int) {
	c.bytes.Add(int64(n))
	if c.opts.Progress != nil {
		c.opts.Progress(Progress{Files: c.files.Load(), Bytes: c.bytes.Load(), Total: c.total})
	}
}

// copyDatabase copies a database and lets go of it.
func (c *creation) copyDatabase(ctx context.Context, d *held) error {
	versions, err := d.Schemas(ctx)
	if err != nil {
		return err
	}
	maps.Copy(c.manifest.Schemas, versions)
	pages, err := d.Reader(ctx)
	if err != nil {
		return err
	}
	r := c.counted(ctx, pages, c.told)
	f := File{Path: d.path, At: path.Join(backupsFolder, c.manifest.ID, "databases", d.path)}
	if err := errors.Join(c.put(ctx, f.At, r), pages.Close()); err != nil {
		return err
	}
	f.Size, f.SHA256 = r.size, r.sum()
	c.manifest.Copied += r.size
	err = d.Close()
	d.Snapshot = nil
	return errors.Join(err, c.note(f))
}

// copyFile copies what a file had at the moment, unless the backup before has a content with the hash known.
func (c *creation) copyFile(ctx context.Context, o *open, known string) error {
	f := File{Path: o.path, Size: o.size, Modified: o.at}
	content := func() io.Reader { return io.NewSectionReader(o, 0, o.size) }
	hash := c.counted(ctx, content(), nil)
	if _, err := io.Copy(io.Discard, hash); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read %s", o.Name())
	}
	if f.SHA256 = hash.sum(); f.SHA256 == known {
		c.told(int(f.Size))
		return c.note(f)
	}
	if err := c.putObject(ctx, f, c.counted(ctx, content(), c.told)); err != nil {
		return err
	}
	c.manifest.Copied += f.Size
	return c.note(f)
}

// putObject copies a file whose hash is known.
func (c *creation) putObject(ctx context.Context, f File, content *counted) error {
	if err := c.put(ctx, f.at(), content); err != nil {
		return err
	}
	if content.sum() != f.SHA256 || content.size != f.Size {
		return apperror.New(apperror.Unavailable, "%s changed while it was copied; make the backup again", f.Path)
	}
	return nil
}

// note writes a line of the list. The list is in the order of the calls.
func (c *creation) note(f File) error {
	line, err := encodeLine(f)
	if err == nil {
		_, err = c.list.file.Write(line)
	}
	c.files.Add(1)
	c.manifest.Files++
	c.manifest.Bytes += f.Size
	killpoint.At(killpoint.AfterBackupFile)
	return err
}

// finish stores the list and then the manifest.
func (c *creation) finish(ctx context.Context) error {
	if _, err := c.list.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	list := c.counted(ctx, c.list.reader(), nil)
	folder := path.Join(backupsFolder, c.manifest.ID)
	if err := c.put(ctx, path.Join(folder, listName), list); err != nil {
		return err
	}
	killpoint.At(killpoint.BeforeManifest)
	c.manifest.ListSHA256, c.manifest.Ended = list.sum(), time.Now().UTC().Truncate(time.Millisecond)
	content, err := seal(c.manifest)
	if err != nil {
		return err
	}
	return c.put(ctx, path.Join(folder, manifestName), c.counted(ctx, bytes.NewReader(content), nil))
}
