package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Get opens an object from the byte from on, length bytes of it or, if length is negative, all. With an ETag it fails with
// FailedPrecondition if the object has another one by now. Codes: NotFound, PermissionDenied, FailedPrecondition, Unavailable.
func (c *Client) Get(ctx context.Context, bucket, key string, from, length int64, etag string) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	switch {
	case length >= 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", from, from+length-1))
	case from > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", from))
	}
	if etag != "" {
		in.IfMatch = aws.String(etag)
	}
	out, err := c.s3.GetObject(ctx, in)
	if err != nil {
		return nil, c.explain(ctx, err, bucket, key)
	}
	return out.Body, nil
}

// Object is one object as it was when it was opened: reading it fails with FailedPrecondition once it has changed.
type Object struct {
	Info
	client      *Client
	ctx         context.Context //nolint:containedctx // io.ReaderAt has none
	bucket, key string
}

// Open looks at an object, to read it until ctx ends. Codes: those of Stat.
func (c *Client) Open(ctx context.Context, bucket, key string) (*Object, error) {
	info, err := c.Stat(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	return &Object{Info: info, client: c, ctx: ctx, bucket: bucket, key: key}, nil
}

// tries is how often in a row a read may fail before it is given up.
const tries = 4

// ReadAt implements io.ReaderAt with one request for each call, and more if the answer breaks off.
func (o *Object) ReadAt(p []byte, from int64) (int, error) {
	if from >= o.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), o.Size-from)
	if want == 0 {
		return 0, nil
	}
	r := &reader{object: o, at: from, end: from + want}
	n, err := io.ReadFull(r, p[:want])
	err = errors.Join(err, r.Close())
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Reader reads the object from its start, or from where Seek puts it. When the connection breaks it goes on from there with another one.
func (o *Object) Reader() io.ReadSeekCloser { return &reader{object: o, end: o.Size} }

type reader struct {
	object  *Object
	at, end int64
	body    io.ReadCloser // from at on, nil if it has to be asked for
	failed  int           // reads in a row
}

// Seek implements io.Seeker; it asks the server for nothing.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	to := offset
	switch whence {
	case io.SeekCurrent:
		to += r.at
	case io.SeekEnd:
		to += r.end
	}
	if to < 0 || to > r.end {
		return 0, fmt.Errorf("seek to %d of %d bytes: %w", to, r.end, io.ErrUnexpectedEOF)
	}
	if to == r.at {
		return to, nil
	}
	r.at = to
	return to, r.Close()
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at == r.end {
			return 0, io.EOF
		}
		n, err := r.read(p)
		r.at += int64(n)
		if n > 0 {
			r.failed = 0
			return n, nil // an error comes again
		}
		if err == nil {
			continue
		}
		_ = r.Close() // it is broken
		if r.failed++; r.failed == tries || r.object.ctx.Err() != nil {
			return 0, r.object.client.explain(r.object.ctx, err, r.object.bucket, r.object.key)
		}
	}
}

func (r *reader) read(p []byte) (int, error) {
	if r.body == nil {
		body, err := r.object.client.Get(r.object.ctx, r.object.bucket, r.object.key, r.at, r.end-r.at, r.object.ETag)
		if err != nil {
			r.failed = tries - 1 // the SDK has tried again already
			return 0, err
		}
		r.body = body
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the object has more
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
