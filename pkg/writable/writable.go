// Package writable tells whether a disk can be written before something has to be: a full or read-only one is best heard of while nothing is lost.
package writable

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"tasador/pkg/apperror"
)

// holds is how long an answer of a Probe stands, good or bad.
const holds = 3 * time.Second

// Probe tries something and keeps the answer for a few seconds, so that it costs next to nothing however often it is asked for. It is safe for
// concurrent use.
type Probe struct {
	what string
	try  func() error

	mu    sync.Mutex
	at    time.Time // of the last try
	err   error     // its answer
	under chan struct{}
}

// NewProbe returns a probe of what, such as "the database x.db", which try tries.
func NewProbe(what string, try func() error) *Probe { return &Probe{what: what, try: try} }

// Check returns what the last try said, or tries anew. Codes: those of the try, Unavailable if it has not ended when ctx does, as on a disk that hangs.
func (p *Probe) Check(ctx context.Context) error {
	p.mu.Lock()
	if p.under == nil {
		if !p.at.IsZero() && time.Since(p.at) < holds {
			defer p.mu.Unlock()
			return p.err
		}
		p.under = make(chan struct{})
		go p.run()
	}
	under := p.under
	p.mu.Unlock()
	select {
	case <-under:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.err
	case <-ctx.Done():
		return apperror.Wrap(apperror.Unavailable, ctx.Err(), "%s does not answer; check its disk", p.what)
	}
}

func (p *Probe) run() {
	err := p.try()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.err = time.Now(), err
	close(p.under)
	p.under = nil
}

// Folder is where a file is tried; an os.Root is one.
type Folder interface {
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
	Remove(name string) error
}

// size of the file that is tried, in bytes: more than what is left on a disk that is said to be full, and little enough to do often.
const size = 256 << 10

// Try writes a file of 256 KiB and removes it again. A file that a killed process left is overwritten. what is whose disk it is, for the message.
// Codes: Unavailable, with a sentence that says what to do.
func Try(folder Folder, name, what string) error {
	content := make([]byte, size) // not of zeros, which some file systems do not store
	_, _ = rand.Read(content)     // never fails
	f, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close(), folder.Remove(name)) // a network disk may say only at the close that it is full
	}
	return Explain(err, what)
}

// TryDir is Try in the folder that dir names.
func TryDir(dir, name, what string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Explain(err, what)
	}
	return errors.Join(Try(root, name, what), root.Close())
}

// Explain gives an error of writing a file its sentence; what is whose disk it is. Codes: Unavailable.
func Explain(err error, what string) error {
	var says string
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		says = "the disk of %s is full; make space, then try again"
	case errors.Is(err, syscall.EROFS):
		says = "the disk of %s is mounted read-only; mount it writable, then try again"
	case errors.Is(err, fs.ErrPermission):
		says = "no file can be written at %s, for want of permission; let the user of this process write there, then try again"
	case errors.Is(err, fs.ErrNotExist):
		says = "%s is gone; put it back, then restart this process"
	default:
		says = "the disk of %s cannot be written (" + fmt.Sprintf("%v", cause(err)) + "); check it, then try again"
	}
	return apperror.Wrap(apperror.Unavailable, err, says, what)
}

// cause leaves the path out, which the message names already.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
