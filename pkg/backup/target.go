package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/dirstore"
	"tasador/pkg/artifact/s3store"
)

type fileInfo = artifact.Info

// Target is where backups are kept: a folder, or a bucket of S3 below a prefix.
type Target struct {
	store interface {
		artifact.Store
		Close() error
	}
	name string // for messages
	pace *pace
}

// MakeTarget opens a target, and makes its folder if that is missing; OpenTarget opens one that is there. The address is that of a folder or
// s3://bucket/prefix, of the S3 server at endpoint. Codes: Invalid, NotFound, PermissionDenied, Unavailable.
func MakeTarget(ctx context.Context, address, endpoint string) (*Target, error) {
	return target(ctx, address, endpoint, dirstore.Make)
}

// OpenTarget is as MakeTarget says.
func OpenTarget(ctx context.Context, address, endpoint string) (*Target, error) {
	return target(ctx, address, endpoint, dirstore.Join)
}

func target(ctx context.Context, address, endpoint string, openDir func(string) (*dirstore.Store, error)) (*Target, error) {
	t := &Target{name: address, pace: &pace{}}
	if strings.HasPrefix(address, s3store.Scheme) {
		store, err := s3store.Open(ctx, address, endpoint)
		if err != nil {
			return nil, err
		}
		t.store = store
		return t, nil
	}
	if address == "" || strings.Contains(address, "://") {
		return nil, apperror.New(apperror.Invalid, "%q is no place for backups; name a folder or s3://bucket/prefix", address)
	}
	folder, err := filepath.Abs(strings.TrimPrefix(address, "file:"))
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the folder %s of the backups cannot be found", address)
	}
	store, err := openDir(folder)
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, errors.Unwrap(err), "cannot open the folder %s of the backups; check its name and its permissions", folder)
	}
	t.store = store
	return t, nil
}

// Limit bounds how many bytes are moved in a second; 0 means any number.
func (t *Target) Limit(bytesPerSecond int64) { t.pace = &pace{rate: float64(bytesPerSecond)} }

// Close closes the target.
func (t *Target) Close() error { return t.store.Close() }

// counted is a reader that hashes what is read, tells how much, keeps to the pace, and remembers why it could not be read.
type counted struct {
	ctx   context.Context //nolint:containedctx // lives as long as one copy
	r     io.Reader
	pace  *pace
	told  func(int)
	hash  hash.Hash
	size  int64
	fault error
}

func (t *Target) counted(ctx context.Context, r io.Reader, told func(int)) *counted {
	return &counted{ctx: ctx, r: r, pace: t.pace, told: told, hash: sha256.New()}
}

// longestRead keeps the pace even.
const longestRead = 256 << 10

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), longestRead)])
	c.hash.Write(p[:n])
	c.size += int64(n)
	if c.told != nil {
		c.told(n)
	}
	if err == nil {
		err = c.pace.spend(c.ctx, n)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.fault = err
	}
	return n, err
}

func (c *counted) sum() string { return hex.EncodeToString(c.hash.Sum(nil)) }

// put copies what c reads into the target.
func (t *Target) put(ctx context.Context, p string, c *counted) error {
	err := t.store.Put(ctx, p, c)
	var onDisk *fs.PathError
	switch {
	case c.fault != nil:
		return c.fault
	case errors.As(err, &onDisk):
		return apperror.Wrap(apperror.Unavailable, err, "the backup cannot be written to %s: %v; check the folder, its permissions and its disk", t.name, onDisk.Err)
	}
	return err
}

// read returns the content of a small file.
func (t *Target) read(ctx context.Context, p string, most int64) ([]byte, error) {
	r, _, err := t.store.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, most))
	return content, errors.Join(err, r.Close())
}

// spooled is a file that was fetched to the local disk.
type spooled struct{ file *os.File }

func newSpool() (*spooled, error) {
	file, err := os.CreateTemp("", "tasador-backup-")
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make a temporary file; check the folder that TMPDIR names")
	}
	return &spooled{file}, nil
}

func (s *spooled) reader() io.Reader { return bufio.NewReader(s.file) }

func (s *spooled) drop() {
	_ = s.file.Close() // it is not needed any more
	_ = os.Remove(s.file.Name())
}

// spool fetches a file that must have a hash. Codes: FailedPrecondition if it has another or is missing.
func (t *Target) spool(ctx context.Context, p, want string) (*spooled, error) {
	id, file := filepath.Base(filepath.Dir(p)), filepath.Base(p)
	r, _, err := t.store.Open(ctx, p)
	if apperror.CodeOf(err) == apperror.NotFound {
		return nil, t.missing(id, file)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	c := t.counted(ctx, r, nil)
	if _, err = io.Copy(s.file, c); err == nil && c.sum() != want {
		err = t.damaged(id, file)
	}
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// since gives a moment for which a file must not have been touched to be trusted by its time alone: file systems keep times only so fine.
const since = 2 * time.Second
