package s3store

import (
	"context"
	"errors"
	"net/http"

	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"tasador/pkg/apperror"
)

// explain turns an error of the SDK into a sentence; one that has a code already stays.
func (c *Client) explain(ctx context.Context, err error, bucket, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() == 0 {
		return apperror.New(apperror.Unavailable, "the S3 server (%s) cannot be reached or broke off: %s; check the endpoint and the network", c.endpoint, rootOf(err))
	}
	name := errorName(err)
	switch status := answer.HTTPStatusCode(); {
	case name == "NoSuchBucket" || status == http.StatusNotFound && key == "":
		return apperror.New(apperror.NotFound, "there is no bucket %s at the S3 server (%s); make it, or check its name", bucket, c.endpoint)
	case status == http.StatusNotFound:
		return apperror.New(apperror.NotFound, "there is no object %s%s/%s at the S3 server (%s); check the bucket and the key", Scheme, bucket, key, c.endpoint)
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return apperror.New(apperror.PermissionDenied,
			"the S3 server (%s) does not let these access keys use %s%s/%s; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do", c.endpoint, Scheme, bucket, key)
	case status == http.StatusPreconditionFailed:
		return apperror.New(apperror.FailedPrecondition, "the object %s%s/%s was replaced while it was read", Scheme, bucket, key)
	case status == http.StatusMovedPermanently || status == http.StatusBadRequest && name == "AuthorizationHeaderMalformed":
		return apperror.New(apperror.Invalid, "the bucket %s is in another region; set AWS_REGION to it", bucket)
	case status >= 500 || status == http.StatusTooManyRequests:
		return apperror.New(apperror.Unavailable, "the S3 server (%s) answered %d %s; try again later", c.endpoint, status, name)
	default:
		return apperror.Wrap(apperror.Invalid, err, "the S3 server (%s) refused the call for %s%s/%s", c.endpoint, Scheme, bucket, key)
	}
}

// errorName is S3's own name of what went wrong. The answer to HEAD has none.
func errorName(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// isMissing reports whether the server said that an object is missing.
func isMissing(err error) bool {
	var answer *smithyhttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound && errorName(err) != "NoSuchBucket"
}

// rootOf goes down to what happened to the connection.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
