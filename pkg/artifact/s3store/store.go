package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
)

// Store keeps artifacts as objects of one bucket, below a prefix.
type Store struct {
	client *Client
	bucket string
	prefix string // empty, or ends with a slash
	upload *transfermanager.Client
	sign   *s3.PresignClient
}

var (
	_ artifact.Store  = (*Store)(nil)
	_ artifact.Direct = (*Store)(nil)
)

// An upload holds uploadParts+1 parts in memory. S3 takes 10,000 of them, so a file may have 78 GiB.
const (
	partSize    = 8 << 20
	uploadParts = 2
	// abortTime is how long an upload that failed may take to be taken back.
	abortTime = 10 * time.Second
)

// Open returns the store at address (s3://bucket or s3://bucket/prefix) of the server at endpoint, and looks whether the bucket is
// there. Codes: Invalid for an address or an endpoint that is not understood, and those of Ping.
func Open(ctx context.Context, address, endpoint string) (*Store, error) {
	bucket, prefix, err := parseFolder(address)
	if err != nil {
		return nil, err
	}
	client, err := New(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, bucket: bucket, prefix: prefix, sign: newSigner(client.s3)}
	s.upload = transfermanager.New(client.s3, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency, o.FailTimeout = partSize, partSize, uploadParts, abortTime
	})
	err = s.Ping(ctx)
	if code := apperror.CodeOf(err); code == apperror.Unavailable || code == apperror.NotFound {
		err = &awayError{err}
	}
	return s, err
}

// IsAway reports whether an error of Open says that the server does not answer, or has no such bucket yet, so that the same may succeed later.
func IsAway(err error) bool { return errors.As(err, new(*awayError)) }

// awayError is an error of Open that may pass by itself.
type awayError struct{ error }

// Unwrap gives the error that says what is wrong.
func (e *awayError) Unwrap() error { return e.error }

// parseFolder cuts s3://bucket/prefix into its parts. Codes: Invalid.
func parseFolder(address string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(address, Scheme)
	bucket, prefix, _ = strings.Cut(rest, "/")
	prefix = strings.TrimSuffix(prefix, "/")
	if !ok || bucket == "" || artifact.CheckPath(prefix) != nil {
		return "", "", apperror.New(apperror.Invalid, "%q does not name a folder of S3; write it as s3://bucket/prefix", address)
	}
	if prefix != "" {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// Ping reports whether the bucket is there and these keys may use it. Codes: NotFound, PermissionDenied, Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.client.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(s.bucket)})
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return apperror.Wrap(apperror.Unavailable, err, "the S3 server (%s) does not answer; check the endpoint and the network", s.client.endpoint)
	}
	return s.client.explain(ctx, err, s.bucket, "")
}

// Close gives back nothing: connections belong to the process.
func (s *Store) Close() error { return nil }

// key returns the key of a file. Codes: Invalid.
func (s *Store) key(p string) (string, error) {
	if err := artifact.CheckPath(p); err != nil {
		return "", err
	}
	if p == "" || strings.HasSuffix(p, "/") {
		return "", apperror.New(apperror.Invalid, "Invalid path %q: a file needs a name", p)
	}
	return s.prefix + p, nil
}

// folder returns what the keys of a folder's files begin with. Codes: Invalid.
func (s *Store) folder(p string) (string, error) {
	if err := artifact.CheckPath(p); err != nil {
		return "", err
	}
	if p = strings.TrimSuffix(p, "/"); p == "" {
		return s.prefix, nil
	}
	return s.prefix + p + "/", nil
}

// source is what is uploaded. It remembers why it could not be read, and ends with the context.
type source struct {
	ctx context.Context //nolint:containedctx // lives as long as one upload
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Put stores a file whole or not at all. A file of more than one part goes up in parts, which become the file with the last call.
// Codes: Invalid, PermissionDenied, Unavailable.
func (s *Store) Put(ctx context.Context, p string, r io.Reader) error {
	key, err := s.key(p)
	if err != nil {
		return err
	}
	content := &source{ctx: ctx, r: r}
	_, err = s.upload.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key), Body: content})
	if content.err != nil {
		return fmt.Errorf("write an upload: %w", content.err)
	}
	if err != nil {
		return s.explain(ctx, err, p)
	}
	return nil
}

// explain turns an error of the SDK into a sentence; one that says that an object is missing names the artifact.
func (s *Store) explain(ctx context.Context, err error, p string) error {
	if isMissing(err) {
		return apperror.Wrap(apperror.NotFound, err, "No such artifact: %s", p)
	}
	return s.client.explain(ctx, err, s.bucket, s.prefix+p)
}

// Open returns a file's content and size. One request is made unless the reader is put elsewhere. Codes: Invalid, NotFound,
// PermissionDenied, Unavailable.
func (s *Store) Open(ctx context.Context, p string) (io.ReadSeekCloser, artifact.Info, error) {
	key, err := s.key(p)
	if err != nil {
		return nil, artifact.Info{}, err
	}
	out, err := s.client.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)})
	if err != nil {
		err = s.explain(ctx, err, p)
		if apperror.CodeOf(err) == apperror.NotFound && s.hasFiles(ctx, p) {
			err = apperror.New(apperror.Invalid, "Artifact path refers to a directory, not a file: '%s'", p)
		}
		return nil, artifact.Info{}, err
	}
	info := Info{Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}
	object := &Object{Info: info, client: s.client, ctx: ctx, bucket: s.bucket, key: key}
	return &reader{object: object, end: info.Size, body: out.Body}, artifact.Info{Path: p, Size: info.Size, ETag: info.ETag}, nil
}

// hasFiles reports whether p is a folder.
func (s *Store) hasFiles(ctx context.Context, p string) bool {
	folder, err := s.folder(p)
	if err != nil {
		return false
	}
	out, err := s.client.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(s.bucket), Prefix: aws.String(folder), MaxKeys: aws.Int32(1)})
	return err == nil && len(out.Contents) > 0
}
