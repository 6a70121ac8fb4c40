package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// moment is what a data folder held when a backup began, artifacts apart. Nothing that is opened can be taken away or change in what it was by then.
type moment struct {
	databases []*held
	files     []*open
}

// held is a database.
type held struct {
	*sqlstore.Snapshot
	path string
}

// open is a file that only grows or is replaced as a whole.
type open struct {
	*os.File
	path string
	size int64
	at   int64 // when it was changed last
}

// take takes the moment, in the order that the comment of the package explains. Databases and folders that are not there are left out.
func (p *places) take(ctx context.Context) (m *moment, err error) {
	m = &moment{}
	defer func() {
		if err != nil {
			m.close()
			m = nil
		}
	}()
	others := p.databases
	if p.jobs != "" { // the pipeline has a file
		if err := m.hold(ctx, others[0]); err != nil {
			return m, err
		}
		others = others[1:]
	}
	found, err := m.openFiles(p)
	if err != nil {
		return m, err
	}
	for _, d := range slices.Concat(others, found) {
		if err := m.hold(ctx, d); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m *moment) hold(ctx context.Context, d database) error {
	snapshot, err := sqlstore.OpenSnapshot(ctx, d.file)
	if apperror.CodeOf(err) == apperror.NotFound {
		return nil
	}
	if err == nil {
		m.databases = append(m.databases, &held{snapshot, d.path})
	}
	return err
}

// openFiles opens the files of the data folder, and returns the databases among them that no setting names.
func (m *moment) openFiles(p *places) (found []database, err error) {
	err = filepath.WalkDir(p.dir, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && file != p.dir {
			return nil // gone meanwhile
		}
		if err != nil {
			return apperror.Wrap(apperror.Unavailable, err, "cannot read the data folder %s; check --data-dir and the permissions", p.dir)
		}
		name := p.below(file, "")
		switch {
		case name == "":
			return nil
		case entry.IsDir() && (isScratch(name) || file == p.artifacts || isTransient(name)):
			return filepath.SkipDir
		case entry.IsDir() || isTransient(name) || file == p.jobs || slices.ContainsFunc(p.databases, func(d database) bool { return d.file == file }):
			return nil
		case !entry.Type().IsRegular():
			return p.odd(file)
		case filepath.Ext(name) == ".db":
			found = append(found, database{file, name})
			return nil
		}
		return m.open(file, name)
	})
	return found, err
}

func (p *places) odd(file string) error {
	if file == p.artifacts {
		return nil // a link to where they are
	}
	return apperror.New(apperror.FailedPrecondition, "%s is neither a file nor a folder, so no backup of it can be made; take it out of the data folder", file)
}

func (m *moment) open(file, name string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read %s; run the backup as the user that runs the roles", file)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	m.files = append(m.files, &open{f, name, info.Size(), info.ModTime().UnixNano()})
	return nil
}

// close lets go of all that is still held.
func (m *moment) close() {
	for _, d := range m.databases {
		if d.Snapshot != nil {
			_ = d.Close() // only read
		}
	}
	for _, f := range m.files {
		_ = f.Close() // only read
	}
}
