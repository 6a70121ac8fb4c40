package s3store

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
)

// List returns the direct children of a folder. Objects that others put there under names that no artifact can have are left out.
// Codes: Invalid, PermissionDenied, Unavailable.
func (s *Store) List(ctx context.Context, p string) ([]artifact.Info, error) {
	folder, err := s.folder(p)
	if err != nil {
		return nil, err
	}
	var out []artifact.Info
	add := func(key string, isDir bool, size int64) {
		name := strings.TrimSuffix(strings.TrimPrefix(key, folder), "/")
		if child := strings.TrimPrefix(strings.TrimSuffix(p, "/")+"/"+name, "/"); name != "" && artifact.CheckPath(child) == nil {
			out = append(out, artifact.Info{Path: child, IsDir: isDir, Size: size})
		}
	}
	pages := s3.NewListObjectsV2Paginator(s.client.s3, &s3.ListObjectsV2Input{
		Bucket: aws.String(s.bucket), Prefix: aws.String(folder), Delimiter: aws.String("/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.client.explain(ctx, err, s.bucket, folder)
		}
		for _, sub := range page.CommonPrefixes {
			add(aws.ToString(sub.Prefix), true, 0)
		}
		for _, o := range page.Contents {
			if key := aws.ToString(o.Key); !strings.HasSuffix(key, "/") { // the mark that some programs make for a folder
				add(key, false, aws.ToInt64(o.Size))
			}
		}
	}
	slices.SortFunc(out, func(a, b artifact.Info) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// Delete removes a file, or a folder with its content, up to a thousand objects with each call. Codes: Invalid, PermissionDenied,
// Unavailable.
func (s *Store) Delete(ctx context.Context, p string) error {
	folder, err := s.folder(p)
	if err == nil && folder == s.prefix {
		err = apperror.New(apperror.Invalid, "Invalid path %q: name what to delete", p)
	}
	if err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(s.client.s3, &s3.ListObjectsV2Input{Bucket: aws.String(s.bucket), Prefix: aws.String(folder)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.client.explain(ctx, err, s.bucket, folder)
		}
		if err := s.deleteObjects(ctx, page.Contents); err != nil {
			return err
		}
	}
	key := strings.TrimSuffix(folder, "/")
	if _, err := s.client.Stat(ctx, s.bucket, key); apperror.CodeOf(err) == apperror.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := s.client.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)}); err != nil {
		return s.client.explain(ctx, err, s.bucket, key)
	}
	return nil
}

func (s *Store) deleteObjects(ctx context.Context, objects []types.Object) error {
	if len(objects) == 0 {
		return nil
	}
	names := make([]types.ObjectIdentifier, len(objects))
	for i, o := range objects {
		names[i].Key = o.Key
	}
	out, err := s.client.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(s.bucket), Delete: &types.Delete{Objects: names, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return s.client.explain(ctx, err, s.bucket, aws.ToString(names[0].Key))
	}
	for _, failed := range out.Errors {
		return apperror.New(apperror.Unavailable, "the S3 server (%s) did not delete %s%s/%s: %s %s", s.client.endpoint, Scheme, s.bucket,
			aws.ToString(failed.Key), aws.ToString(failed.Code), aws.ToString(failed.Message))
	}
	return nil
}
