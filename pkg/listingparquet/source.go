package listingparquet

import (
	"errors"
	"io"
	"sync"

	"tasador/pkg/apperror"
)

// keeper remembers why the file could not be read, which the library wraps in words of its own.
type keeper struct {
	r   io.ReaderAt
	mu  sync.Mutex
	err error
}

// ReadAt implements io.ReaderAt.
func (k *keeper) ReadAt(p []byte, from int64) (int, error) {
	if from < 0 {
		return 0, errors.New("the file names a place before its start")
	}
	n, err := k.r.ReadAt(p, from)
	if err != nil && !errors.Is(err, io.EOF) {
		k.mu.Lock()
		k.err = err
		k.mu.Unlock()
	}
	return n, err
}

// explain gives an error of the library its code: that of reading the file, or Invalid if what was read is at fault.
func (k *keeper) explain(err error, what string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.err != nil && apperror.CodeOf(k.err) != apperror.Internal:
		return k.err
	case k.err != nil:
		return apperror.Wrap(apperror.Unavailable, k.err, "the file cannot be read to its end")
	}
	return apperror.Wrap(apperror.Invalid, err, "%s", what)
}

// recovered makes a panic of the library, which some damaged files bring about, an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = apperror.New(apperror.Invalid, damaged+": %v", r)
	}
}
