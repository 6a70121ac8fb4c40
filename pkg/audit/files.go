package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
)

// Folder is where the lines are, below the data folder.
const Folder = "audit"

const (
	current   = "audit.jsonl"
	lockName  = ".lock"
	oldPrefix = "audit-"
	oldSuffix = ".jsonl"
	oldTime   = "20060102T150405.000000000Z" // sorts by time
)

// files is the folder. One process at a time writes to it.
type files struct {
	opt  Options
	lock *os.File
}

func openFiles(opt Options) (*files, error) {
	cannot := func(err error) error {
		return apperror.Wrap(apperror.Unavailable, err, "the audit log in %s cannot be written; check the folder and who may write there", opt.Folder)
	}
	if err := os.MkdirAll(opt.Folder, 0o750); err != nil {
		return nil, cannot(err)
	}
	held, err := os.OpenFile(filepath.Join(opt.Folder, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, cannot(err)
	}
	f := &files{opt, held}
	if err := f.append(nil); err != nil {
		return nil, cannot(errors.Join(err, held.Close()))
	}
	return f, nil
}

// append writes whole lines to the newest file. A full one is put aside first, and the oldest beyond the number that is kept is removed.
func (f *files) append(lines []byte) (err error) {
	if err := lock(f.lock); err != nil {
		return fmt.Errorf("lock the audit log: %w", err)
	}
	defer func() { err = errors.Join(err, unlock(f.lock)) }()
	path := filepath.Join(f.opt.Folder, current)
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && info.Size()+int64(len(lines)) > f.opt.FileSize {
		aside := oldPrefix + time.Now().UTC().Format(oldTime) + oldSuffix
		if err := os.Rename(path, filepath.Join(f.opt.Folder, aside)); err != nil {
			return fmt.Errorf("begin a new file of the audit log: %w", err)
		}
		if err := f.prune(); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	return errors.Join(appendWhole(file, lines), file.Close())
}

// appendWhole leaves no half of a line: what a full disk or a crash cut off is taken back or ended.
func appendWhole(file *os.File, lines []byte) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	end := info.Size()
	if end > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	if _, err := file.WriteAt(lines, end); err != nil {
		return errors.Join(fmt.Errorf("write the audit log: %w", err), file.Truncate(end))
	}
	return nil
}

// prune removes the oldest files.
func (f *files) prune() error {
	old, err := oldFiles(f.opt.Folder)
	if err != nil {
		return err
	}
	for len(old) > max(f.opt.Files-1, 0) {
		if err := os.Remove(filepath.Join(f.opt.Folder, old[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an old file of the audit log: %w", err)
		}
		old = old[1:]
	}
	return nil
}

// oldFiles lists the files that were put aside, the oldest first.
func oldFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), oldPrefix) && strings.HasSuffix(e.Name(), oldSuffix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
