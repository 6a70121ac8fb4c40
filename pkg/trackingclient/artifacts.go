package trackingclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/mlflowapi"
)

const artifactRoute = mlflowapi.Prefix + "/mlflow-artifacts/artifacts"

// PutArtifact stores a file under a folder that artifactURI names: a run's or a logged model's artifact URI, or whatever
// OpenArtifact understands. The content is streamed; a failed try is repeated only if r is an io.Seeker.
// Codes: Invalid, NotFound, FailedPrecondition (a store that cannot be reached from here), Unavailable.
func (c *Client) PutArtifact(ctx context.Context, artifactURI, name string, r io.Reader) error {
	store, full, err := c.file(ctx, artifactURI, name)
	if err != nil {
		return err
	}
	if store != nil {
		return store.Put(ctx, full, r)
	}
	target := c.artifactURL(full)
	seeker, repeatable := r.(io.Seeker)
	var start int64
	if repeatable {
		if start, err = seeker.Seek(0, io.SeekCurrent); err != nil {
			repeatable = false
		}
	}
	first := true
	return c.retry(ctx, false, func(ctx context.Context) error {
		if !first {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return fmt.Errorf("read %s again: %w", name, err)
			}
		}
		first = false
		err := c.putOnce(ctx, target, name, r)
		var f *failure
		if !repeatable && errors.As(err, &f) {
			f.temporary = false
		}
		return err
	})
}

// lent is a reader that the transport may read until it calls Close, which can be after the answer is there.
type lent struct {
	io.Reader
	once     sync.Once
	returned chan struct{}
}

func (l *lent) Close() error {
	l.once.Do(func() { close(l.returned) })
	return nil
}

// putOnce sends r. It returns only when the transport reads r no more, because a second try or the caller goes on with r.
func (c *Client) putOnce(ctx context.Context, target *url.URL, name string, r io.Reader) error {
	body := &lent{Reader: r, returned: make(chan struct{})}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), body)
	if err != nil {
		return fmt.Errorf("make an upload request: %w", err)
	}
	req.Header.Set("Content-Type", contentType(name))
	err = c.upload(req)
	<-body.returned
	return err
}

func (c *Client) upload(req *http.Request) error {
	answer, err := c.send(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	return c.decode(answer, nil)
}

func contentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// OpenArtifact returns the content of a file under the folder that artifactURI names: mlflow-artifacts:/…, models:/m-…,
// models:/name/version, models:/name/stage, models:/name@alias or runs:/id/…. The caller closes it. Size is -1 if the server does
// not say. Codes as PutArtifact.
func (c *Client) OpenArtifact(ctx context.Context, artifactURI, name string) (io.ReadCloser, artifact.Info, error) {
	store, full, err := c.file(ctx, artifactURI, name)
	if err != nil {
		return nil, artifact.Info{}, err
	}
	if store != nil {
		body, info, err := store.Open(ctx, full)
		info.Path = name
		return body, info, err
	}
	return c.download(ctx, c.artifactURL(full), name)
}

// explainMissing turns a stock server's 500 for a missing file, which is worth no second try, into NotFound.
func (c *Client) explainMissing(err error, name string) error {
	var f *failure
	if errors.As(err, &f) && strings.Contains(f.Error(), "No such artifact") {
		return &failure{err: apperror.Wrap(apperror.NotFound, f.err, "there is no artifact %s", name)}
	}
	return err
}

// ListArtifacts returns the direct children of a folder below artifactURI; their paths are relative to artifactURI. A missing folder
// is empty. Codes as PutArtifact.
func (c *Client) ListArtifacts(ctx context.Context, artifactURI, folder string) ([]artifact.Info, error) {
	store, root, err := c.place(ctx, artifactURI)
	if err != nil {
		return nil, err
	}
	full, err := joinPath(root, folder)
	if err != nil {
		return nil, err
	}
	if store != nil {
		list, err := store.List(ctx, full)
		for i := range list {
			list[i].Path = path.Join(folder, path.Base(list[i].Path))
		}
		return list, err
	}
	target := c.base.JoinPath(artifactRoute)
	target.RawQuery = values("path", full).Encode()
	var out struct {
		Files []mlflowapi.FileInfo `json:"files"`
	}
	err = c.retry(ctx, false, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
		if err != nil {
			return fmt.Errorf("make a list request: %w", err)
		}
		answer, err := c.send(req)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		return c.decode(answer, &out)
	})
	if err != nil {
		return nil, err
	}
	list := make([]artifact.Info, 0, len(out.Files))
	for _, f := range out.Files {
		if f.Path == "" || f.Path == "." || f.Path == ".." || strings.ContainsAny(f.Path, "/\\\x00") {
			return nil, apperror.New(apperror.Unavailable, "the tracking server lists an artifact under the unusable name %q", f.Path)
		}
		list = append(list, describe(f, path.Join(folder, f.Path)))
	}
	return list, nil
}

// DownloadFolder writes all files below artifactURI into dir, which is made if it is missing; after an error dir may hold some of
// them. Codes as PutArtifact, and NotFound if there is no file.
func (c *Client) DownloadFolder(ctx context.Context, artifactURI, dir string) error {
	resolved, err := c.resolve(ctx, artifactURI)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the download folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the download folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	files, err := c.downloadInto(ctx, resolved, "", root)
	if err == nil && files == 0 {
		return apperror.New(apperror.NotFound, "there are no artifacts at %s", artifactURI)
	}
	return err
}

func (c *Client) downloadInto(ctx context.Context, artifactURI, folder string, root *os.Root) (files int, err error) {
	list, err := c.ListArtifacts(ctx, artifactURI, folder)
	if err != nil {
		return 0, err
	}
	for _, f := range list {
		n := 1
		if f.IsDir {
			if err = root.MkdirAll(filepath.FromSlash(f.Path), 0o750); err == nil {
				n, err = c.downloadInto(ctx, artifactURI, f.Path, root)
			}
		} else {
			err = c.downloadFile(ctx, artifactURI, f.Path, root)
		}
		if err != nil {
			return files, err
		}
		files += n
	}
	return files, nil
}

func (c *Client) downloadFile(ctx context.Context, artifactURI, name string, root *os.Root) (err error) {
	body, info, err := c.OpenArtifact(ctx, artifactURI, name)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	file, err := root.Create(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	n, err := io.Copy(file, body)
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "the download of %s broke off", name)
	}
	if info.Size >= 0 && n != info.Size {
		return apperror.New(apperror.Unavailable, "the download of %s broke off after %d of %d bytes", name, n, info.Size)
	}
	return nil
}
