// Package reloaded keeps what files say and reads them anew when their content changes, however they are replaced: written over, renamed, or behind a link
// that now leads elsewhere, as Kubernetes and certbot do.
package reloaded

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
)

// every is how often the files are looked at, at most: somebody has to ask.
const every = time.Second

// largest bounds a file, in bytes: certificates and tokens are small, and a wrong path may lead anywhere.
const largest = 1 << 20

// Value is what some files say. It is safe for concurrent use, and asking it costs next to nothing between two looks.
type Value[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	value   atomic.Pointer[T]
	problem atomic.Pointer[error]
	looked  atomic.Int64 // nanoseconds since 1970

	mu     sync.Mutex // of whoever looks
	read   [][]byte   // of the value
	broken [][]byte   // that was seen last and cannot be used
	told   bool       // the log knows of it
}

// Open reads the files and makes a value of their contents. An error of parse is the caller's sentence. Codes: Invalid if a file cannot be read, and those of
// parse. log hears of later changes; nil means nobody does.
func Open[T any](log *slog.Logger, parse func(contents [][]byte) (T, error), paths ...string) (*Value[T], error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	v := &Value[T]{paths: paths, parse: parse, log: log}
	contents, err := v.contents()
	if err != nil {
		return nil, err
	}
	value, err := parse(contents)
	if err != nil {
		return nil, err
	}
	v.read = contents
	v.value.Store(&value)
	v.looked.Store(time.Now().UnixNano())
	return v, nil
}

// Get returns the value of the newest content that could be used.
func (v *Value[T]) Get() T {
	v.look()
	return *v.value.Load()
}

// Problem says why the newest content is not in use; nil if it is.
func (v *Value[T]) Problem() error {
	v.look()
	if err := v.problem.Load(); err != nil {
		return *err
	}
	return nil
}

// look reads the files if nobody did for a while. One looks; the others go on with what is known.
func (v *Value[T]) look() {
	if time.Now().UnixNano()-v.looked.Load() < int64(every) || !v.mu.TryLock() {
		return
	}
	defer v.mu.Unlock()
	defer func() { v.looked.Store(time.Now().UnixNano()) }()
	contents, err := v.contents()
	if err == nil && same(contents, v.read) {
		if v.problem.Swap(nil) != nil {
			v.tell(slog.LevelInfo, "the files are what they were again", nil)
		}
		v.broken, v.told = nil, false
		return
	}
	if err == nil {
		var value T
		if value, err = v.parse(contents); err == nil {
			v.value.Store(&value)
			v.problem.Store(nil)
			v.read, v.broken, v.told = contents, nil, false
			v.tell(slog.LevelInfo, "read anew", nil)
			return
		}
	}
	v.fail(contents, err)
}

// fail keeps the old value. A pair of files is replaced one after the other, so the log is told only of what is still broken at the next look. No contents mean
// that the files cannot be read.
func (v *Value[T]) fail(contents [][]byte, err error) {
	again := v.problem.Swap(&err) != nil && same(contents, v.broken)
	v.broken, v.told = contents, v.told && again
	if again && !v.told {
		v.tell(slog.LevelError, "the new content cannot be used; the old one stays in force", err)
		v.told = true
	}
}

func (v *Value[T]) tell(level slog.Level, message string, err error) {
	args := []any{"files", v.paths}
	if err != nil {
		args = append(args, "error", err)
	}
	v.log.Log(context.Background(), level, message, args...)
}

func (v *Value[T]) contents() ([][]byte, error) {
	contents := make([][]byte, len(v.paths))
	for i, path := range v.paths {
		content, err := read(path)
		if err != nil {
			return nil, err
		}
		contents[i] = content
	}
	return contents, nil
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the file %s cannot be read; check its path and who may read it", path)
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return nil, apperror.New(apperror.Invalid, "%s is not a file of at most 1 MiB; check the path", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the file %s cannot be read; check its path and who may read it", path)
	}
	return content, nil
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
