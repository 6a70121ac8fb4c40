// Package s3store is an artifact.Store on S3, and on servers that speak its protocol, such as MinIO; it also reads single objects. Access keys, session token, profile and
// region come from the AWS_ variables and files that all tools for S3 know.
package s3store

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tasador/pkg/apperror"
)

// Scheme begins the addresses of objects.
const Scheme = "s3://"

// defaultRegion is what servers that are not AWS's take for any region.
const defaultRegion = "us-east-1"

// Client reads objects of one server. It is safe for concurrent use.
type Client struct {
	s3       *s3.Client
	endpoint string // for messages
}

// New returns a client of the server at endpoint, such as http://127.0.0.1:9000; an empty one means AWS, or what AWS_ENDPOINT_URL
// names. Buckets are parts of the path there, not of the host's name. Codes: Invalid for an endpoint that is no address or for keys
// that cannot be found.
func New(ctx context.Context, endpoint string) (*Client, error) {
	if endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, apperror.New(apperror.Invalid, "the S3 endpoint %q is not an address; write it as http://127.0.0.1:9000", endpoint)
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion(defaultRegion))
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the settings of S3 cannot be read; check the variables and files of AWS")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, apperror.New(apperror.Invalid, "there are no access keys of S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
	}
	c := &Client{endpoint: endpoint}
	c.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		o.UsePathStyle = o.BaseEndpoint != nil
		// A checksum of a whole object says nothing about a range of it, and the SDK would warn of each.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	if base := c.s3.Options().BaseEndpoint; base != nil {
		c.endpoint = *base
	}
	if c.endpoint == "" {
		c.endpoint = "AWS"
	}
	return c, nil
}

// ParseURL cuts s3://bucket/key into its parts. Codes: Invalid.
func ParseURL(address string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(address, Scheme)
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return "", "", apperror.New(apperror.Invalid, "%q does not name an object of S3; write it as s3://bucket/key", address)
	}
	return bucket, key, nil
}

// Info says what an object is.
type Info struct {
	Size     int64
	ETag     string // differs once the object has changed; in quotes
	Modified time.Time
}

// Stat looks at an object. Codes: NotFound, PermissionDenied, Unavailable.
func (c *Client) Stat(ctx context.Context, bucket, key string) (Info, error) {
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return Info{}, c.explain(ctx, err, bucket, key)
	}
	return Info{Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}, nil
}
