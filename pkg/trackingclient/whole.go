package trackingclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

// LoggedModelAlsoDeleted returns a logged model, also a deleted one; it does not say which it is. Codes: NotFound.
func (c *Client) LoggedModelAlsoDeleted(ctx context.Context, id string) (*experiment.LoggedModel, error) {
	return c.loggedModel(ctx, get(loggedModelPath(id), values("allow_deleted", "true")))
}

// Holder is what has artifacts: a run or a logged model.
type Holder struct {
	RunID, ModelID string // one of them
	ArtifactURI    string
}

// ListHeld is ListArtifacts by the calls with which a server lists what a run or a logged model has, wherever that is; such calls are slower
// than the artifact proxy, and deleted logged models have none. Codes: as ListArtifacts.
func (c *Client) ListHeld(ctx context.Context, h Holder, folder string) ([]artifact.Info, error) {
	if c.baseErr != nil {
		return nil, c.baseErr
	}
	what := get("artifacts/list", values("run_id", h.RunID))
	parameter := "path"
	if h.ModelID != "" {
		what, parameter = get(loggedModelPath(h.ModelID, "artifacts", "directories"), values()), "artifact_directory_path"
	}
	if folder != "" {
		what.query.Set(parameter, folder)
	}
	var out struct {
		Files []mlflowapi.FileInfo `json:"files"`
	}
	if err := c.do(ctx, what, &out); err != nil {
		return nil, err
	}
	list := make([]artifact.Info, 0, len(out.Files))
	for _, f := range out.Files {
		name, below := f.Path, folder == ""
		if !below {
			name, below = strings.CutPrefix(f.Path, strings.TrimSuffix(folder, "/")+"/")
		}
		if !below || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			return nil, apperror.New(apperror.Unavailable, "the tracking server lists an artifact under the unusable name %q", f.Path)
		}
		list = append(list, describe(f, path.Join(folder, name)))
	}
	return list, nil
}

func describe(f mlflowapi.FileInfo, name string) artifact.Info {
	info := artifact.Info{Path: name, IsDir: f.IsDir}
	if f.FileSize != nil {
		info.Size = int64(*f.FileSize)
	}
	return info
}

// OpenHeld is OpenArtifact by the calls that ListHeld is about.
func (c *Client) OpenHeld(ctx context.Context, h Holder, name string) (io.ReadCloser, artifact.Info, error) {
	if c.baseErr != nil {
		return nil, artifact.Info{}, c.baseErr
	}
	target := c.base.JoinPath("get-artifact")
	target.RawQuery = values("run_id", h.RunID, "run_uuid", h.RunID, "path", name).Encode()
	if h.ModelID != "" {
		target = c.base.JoinPath(mlflowapi.PrefixAjax, "2.0", "mlflow", "logged-models", url.PathEscape(h.ModelID), "artifacts", "files")
		target.RawQuery = values("artifact_file_path", name).Encode()
	}
	return c.download(ctx, target, name)
}

// download opens what is at an address.
func (c *Client) download(ctx context.Context, target *url.URL, name string) (io.ReadCloser, artifact.Info, error) {
	var body io.ReadCloser
	info := artifact.Info{Path: name}
	err := c.retry(ctx, false, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
		if err != nil {
			return fmt.Errorf("make a download request: %w", err)
		}
		answer, err := c.send(req) //nolint:bodyclose // the caller closes it
		if err != nil {
			return c.explainMissing(err, name)
		}
		body, info.Size = answer.Body, answer.ContentLength
		return nil
	})
	return body, info, err
}

// Reach reports whether a tracking server answers and lets this client in. Codes: Invalid, FailedPrecondition (no tracking server), PermissionDenied,
// Unavailable.
func (c *Client) Reach(ctx context.Context) error {
	_, err := c.SearchExperiments(ctx, experiment.Search{PageRequest: experiment.PageRequest{MaxResults: 1}})
	if code := apperror.CodeOf(err); err != nil && (code == apperror.NotFound || code == apperror.FailedPrecondition) {
		return apperror.Wrap(apperror.FailedPrecondition, err, "%s is not the address of a tracking server", c.base.Redacted())
	}
	return err
}
