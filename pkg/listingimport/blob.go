package listingimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/s3store"
)

// blob is a file wherever it is, as it was when it was opened.
type blob struct {
	io.ReaderAt
	size        int64
	source      string // absolute path, or address
	fingerprint string
	reader      func() io.ReadCloser         // from the start
	look        func() (now string, _ error) // the fingerprint by now
	close       func() error
}

// open opens the file at a path, or the object at an address such as s3://bucket/key. Codes: NotFound, Invalid, and those of s3store.
func open(ctx context.Context, path, endpoint string) (*blob, error) {
	if strings.HasPrefix(path, s3store.Scheme) {
		return openObject(ctx, path, endpoint)
	}
	if scheme, _, ok := strings.Cut(path, "://"); ok {
		return nil, apperror.New(apperror.Invalid, "%s: files are not read from %s addresses; give a path, or s3://bucket/key", path, scheme)
	}
	return openFile(path)
}

func openFile(path string) (*blob, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the path %s cannot be made absolute", path)
	}
	f, err := os.Open(absolute)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperror.New(apperror.NotFound, "there is no file %s; check the path", path)
	}
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the file %s cannot be opened", path)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file, and an import must be able to read it again")
	}
	if err != nil {
		return nil, errors.Join(apperror.Wrap(apperror.Invalid, err, "the file %s cannot be imported", path), f.Close())
	}
	return &blob{
		ReaderAt: f, size: info.Size(), source: absolute, fingerprint: fingerprint(info),
		reader: func() io.ReadCloser { return io.NopCloser(io.NewSectionReader(f, 0, info.Size())) },
		look: func() (string, error) {
			now, err := os.Stat(absolute)
			if err != nil {
				return "", nil //nolint:nilerr // a file that is gone has changed
			}
			return fingerprint(now), nil
		},
		close: f.Close,
	}, nil
}

func fingerprint(info fs.FileInfo) string {
	return fmt.Sprintf("size=%d modified=%s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

func openObject(ctx context.Context, address, endpoint string) (*blob, error) {
	bucket, key, err := s3store.ParseURL(address)
	if err != nil {
		return nil, err
	}
	client, err := s3store.New(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	object, err := client.Open(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	etagged := func(i s3store.Info) string { return fmt.Sprintf("size=%d etag=%s", i.Size, i.ETag) }
	return &blob{
		ReaderAt: object, size: object.Size, source: address, fingerprint: etagged(object.Info), reader: func() io.ReadCloser { return object.Reader() },
		look: func() (string, error) {
			now, err := client.Stat(ctx, bucket, key)
			return etagged(now), err
		},
		close: func() error { return nil },
	}, nil
}
