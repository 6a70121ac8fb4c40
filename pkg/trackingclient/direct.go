package trackingclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/mlflowapi"
)

// direct returns where artifacts are that the server leaves to its clients: behind its proxy all the same, if it says so, else on S3, which
// this process reaches with keys of its own.
func (c *Client) direct(ctx context.Context, artifactURI string, u *url.URL) (artifact.Store, string, error) {
	switch u.Scheme {
	case "s3", "file":
	case "":
		return nil, "", unreachable(u.String(), "a local path of the tracking server")
	default:
		return nil, "", unreachable(u.String(), "the scheme "+u.Scheme+": is not served by the tracking server")
	}
	root, err := c.proxiedRoot(ctx)
	if err != nil {
		return nil, "", err
	}
	if rest, ok := strings.CutPrefix(u.String(), root); ok && root != "" && (rest == "" || rest[0] == '/') {
		name, err := url.PathUnescape(strings.Trim(rest, "/"))
		if err != nil {
			return nil, "", apperror.New(apperror.Invalid, "the artifact URI %q is not understood", artifactURI)
		}
		return nil, name, nil
	}
	if u.Scheme == "file" {
		return nil, "", unreachable(u.String(), "a folder that the tracking server does not serve")
	}
	store, err := c.bucket(ctx, u.Host)
	if apperror.CodeOf(err) == apperror.Invalid {
		err = apperror.Wrap(apperror.FailedPrecondition, err, "cannot reach the artifacts at %s: %s", u.String(), apperror.SentenceOf(err))
	}
	if err != nil {
		return nil, "", err
	}
	return store, strings.Trim(u.Path, "/"), nil
}

// infoHolds is how long what a server says of itself is taken for true.
const infoHolds = time.Minute

func unreachable(uri, why string) error {
	return apperror.New(apperror.FailedPrecondition,
		"cannot reach the artifacts at %s (%s); start the tracking server so that it serves artifacts (mlflow-artifacts:)", uri, why)
}

// bucket opens a bucket the first time. Codes: those of s3store.Open.
func (c *Client) bucket(ctx context.Context, name string) (*s3store.Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if store := c.buckets[name]; store != nil {
		return store, nil
	}
	store, err := s3store.Open(ctx, s3store.Scheme+name, c.opt.S3Endpoint)
	if err != nil {
		return nil, err
	}
	if c.buckets == nil {
		c.buckets = map[string]*s3store.Store{}
	}
	c.buckets[name] = store
	return store, nil
}

// proxiedRoot asks the server which place of its clients is behind its proxy too; a stock MLflow server knows of none. The answer holds as
// long as MLflow's clients think that it does.
func (c *Client) proxiedRoot(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) < infoHolds {
		return c.proxied, nil
	}
	var info struct {
		ArtifactRoot string `json:"artifact_root"`
	}
	err := c.ask(ctx, call{method: http.MethodGet}, c.base.JoinPath(mlflowapi.PrefixV3, "mlflow", "server-info"), &info)
	if apperror.CodeOf(err) == apperror.Unavailable {
		return "", err
	}
	c.proxied, c.asked = info.ArtifactRoot, time.Now() // servers of old have no such call
	return c.proxied, nil
}
