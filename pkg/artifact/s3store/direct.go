package s3store

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
)

// How long signed addresses may be used: uploads of large files take long; downloads ask for another address.
const (
	uploadTime   = 12 * time.Hour
	downloadTime = 5 * time.Minute
)

// maxParts is how many parts S3 takes.
const maxParts = 10_000

// newSigner signs without checksums: their headers would have to be sent by clients that do not know of them.
func newSigner(client *s3.Client) *s3.PresignClient {
	return s3.NewPresignClient(client, s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}))
}

// CreateUpload begins an upload and signs the addresses of its parts, the first part first. Codes: Invalid, PermissionDenied, Unavailable.
func (s *Store) CreateUpload(ctx context.Context, p string, parts int) (id string, urls []string, err error) {
	key, err := s.key(p)
	if err != nil {
		return "", nil, err
	}
	if parts < 1 || parts > maxParts {
		return "", nil, apperror.New(apperror.Invalid, "An upload has 1 to %d parts, not %d.", maxParts, parts)
	}
	out, err := s.client.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(s.bucket), Key: aws.String(key)})
	if err != nil {
		return "", nil, s.client.explain(ctx, err, s.bucket, key)
	}
	urls = make([]string, parts)
	for i := range urls {
		in := &s3.UploadPartInput{Bucket: aws.String(s.bucket), Key: aws.String(key), UploadId: out.UploadId, PartNumber: aws.Int32(int32(i + 1))}
		signed, err := s.sign.PresignUploadPart(ctx, in, s3.WithPresignExpires(uploadTime))
		if err != nil {
			return "", nil, s.client.explain(ctx, err, s.bucket, key)
		}
		urls[i] = signed.URL
	}
	return aws.ToString(out.UploadId), urls, nil
}

// CompleteUpload makes the parts the file. Codes: Invalid, NotFound for an upload that is not open, PermissionDenied, Unavailable.
func (s *Store) CompleteUpload(ctx context.Context, p, id string, parts []artifact.Part) error {
	key, err := s.uploadKey(p, id)
	if err != nil {
		return err
	}
	done := make([]types.CompletedPart, len(parts))
	for i, part := range parts {
		if part.Number < 1 || part.Number > maxParts {
			return apperror.New(apperror.Invalid, "An upload has 1 to %d parts, not %d.", maxParts, part.Number)
		}
		done[i] = types.CompletedPart{PartNumber: aws.Int32(int32(part.Number)), ETag: aws.String(part.ETag)}
	}
	_, err = s.client.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key), UploadId: aws.String(id), MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
	if err != nil {
		return s.explainUpload(ctx, err, key)
	}
	return nil
}

// AbortUpload drops the parts. Codes: Invalid, NotFound for an upload that is not open, PermissionDenied, Unavailable.
func (s *Store) AbortUpload(ctx context.Context, p, id string) error {
	key, err := s.uploadKey(p, id)
	if err != nil {
		return err
	}
	in := &s3.AbortMultipartUploadInput{Bucket: aws.String(s.bucket), Key: aws.String(key), UploadId: aws.String(id)}
	if _, err = s.client.s3.AbortMultipartUpload(ctx, in); err != nil {
		return s.explainUpload(ctx, err, key)
	}
	return nil
}

// OpenUploads returns the uploads in parts that began at a time or before and are not complete, whoever began them. Those of names that no
// artifact can have are left out. Codes: PermissionDenied, Unavailable.
func (s *Store) OpenUploads(ctx context.Context, before time.Time) ([]artifact.Upload, error) {
	var out []artifact.Upload
	pages := s3.NewListMultipartUploadsPaginator(s.client.s3, &s3.ListMultipartUploadsInput{Bucket: aws.String(s.bucket), Prefix: aws.String(s.prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.client.explain(ctx, err, s.bucket, s.prefix)
		}
		for _, u := range page.Uploads {
			path, below := strings.CutPrefix(aws.ToString(u.Key), s.prefix)
			if begun := aws.ToTime(u.Initiated); below && artifact.CheckPath(path) == nil && !begun.After(before) {
				out = append(out, artifact.Upload{Path: path, ID: aws.ToString(u.UploadId), Begun: begun})
			}
		}
	}
	return out, nil
}

// uploadKey checks what names an upload. Its id is the server's own and goes into a query only; still it is no path. Codes: Invalid.
func (s *Store) uploadKey(p, id string) (string, error) {
	if err := artifact.CheckPath(id); err != nil || id == "" {
		return "", apperror.New(apperror.Invalid, "Invalid upload id: send the one that mpu/create gave.")
	}
	return s.key(p)
}

func (s *Store) explainUpload(ctx context.Context, err error, key string) error {
	if isMissing(err) {
		return apperror.Wrap(apperror.NotFound, err, "There is no such upload; it was completed or aborted already.")
	}
	return s.client.explain(ctx, err, s.bucket, key)
}

// SignDownload returns an address under which anybody can read the file for a few minutes. Codes: those of Open.
func (s *Store) SignDownload(ctx context.Context, p string) (string, artifact.Info, error) {
	key, err := s.key(p)
	if err != nil {
		return "", artifact.Info{}, err
	}
	info, err := s.client.Stat(ctx, s.bucket, key)
	if apperror.CodeOf(err) == apperror.NotFound {
		err = apperror.Wrap(apperror.NotFound, err, "No such artifact: %s", p)
	}
	if err != nil {
		return "", artifact.Info{}, err
	}
	signed, err := s.sign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)}, s3.WithPresignExpires(downloadTime))
	if err != nil {
		return "", artifact.Info{}, s.client.explain(ctx, err, s.bucket, key)
	}
	return signed.URL, artifact.Info{Path: p, Size: info.Size, ETag: info.ETag}, nil
}
