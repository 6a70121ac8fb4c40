package tracking

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/mlflowapi"
)

// artifactPath returns what stands after the folder of the artifacts in the address, decoded once.
func artifactPath(c echo.Context) string {
	return artifact.Tidy(strings.TrimPrefix(c.Request().URL.Path, strings.TrimSuffix(c.Path(), "*")))
}

func (a *api) getArtifact(c echo.Context) error {
	return download(c, a.files.Proxied(), artifactPath(c))
}

// content is a file that is sent. It remembers why it could not be read.
type content struct {
	io.ReadSeeker
	err error
}

func (f *content) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// download streams a file, or the ranges of it that are asked for, as an attachment with a type of our choice, so that no browser takes
// it for a page of this server.
func download(c echo.Context, files artifact.Store, name string) error {
	if name == "" {
		return apperror.New(apperror.Invalid, "Missing value for required parameter 'path'.")
	}
	file, info, err := files.Open(c.Request().Context(), name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, contentType(name))
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set("ETag", info.ETag)
	sent := &content{ReadSeeker: file}
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, sent)
	if sent.err != nil {
		panic(http.ErrAbortHandler) // the headers are out: only a broken connection tells the client
	}
	return nil
}

// plainText are the endings of files that are text to MLflow.
func plainText() []string {
	return []string{
		"txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml", "xml", "json", "js", "py", "py3", "csv", "tsv",
		"md", "rst",
	}
}

// contentType is the type that MLflow's server sends, but nothing that runs scripts in a browser.
func contentType(name string) string {
	base := strings.ToLower(path.Base(name))
	ext := strings.TrimPrefix(path.Ext(base), ".")
	switch {
	case base == "mlmodel" || base == "mlproject" || slices.Contains(plainText(), ext):
		return "text/plain"
	case ext == "" || slices.Contains([]string{"html", "htm", "svg", "xhtml"}, ext):
		return "application/octet-stream"
	}
	if t := mime.TypeByExtension("." + ext); t != "" && !strings.Contains(t, "script") && !strings.Contains(t, "xml") && !strings.Contains(t, "html") {
		return t
	}
	return "application/octet-stream"
}

// upload is the body of a request that remembers why it could not be read: a client that goes away is no fault of ours.
type upload struct {
	io.Reader
	err error
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}

func (a *api) putArtifact(c echo.Context) error {
	body := &upload{Reader: c.Request().Body}
	err := a.files.Proxied().Put(c.Request().Context(), artifactPath(c), body)
	if body.err != nil {
		return apperror.Wrap(apperror.Invalid, body.err, "The upload broke off; nothing was stored.")
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, object{})
}

// maxPageUpload is how large a file may be that MLflow's pages upload, in bytes.
const maxPageUpload = 10 << 20

// uploadRunArtifact stores a file below the artifacts of a run, as MLflow's pages do.
func (a *api) uploadRunArtifact(c echo.Context) error {
	id, name := c.QueryParam("run_uuid"), c.QueryParam("path")
	tooLarge := apperror.New(apperror.Invalid, "Artifact size is too large. Max size is 10MB.")
	switch {
	case id == "":
		return apperror.New(apperror.Invalid, "Request must specify run_uuid.")
	case name == "":
		return apperror.New(apperror.Invalid, "Request must specify path.")
	case artifact.CheckPath(artifact.Tidy(name)) != nil:
		return artifact.CheckPath(name)
	case c.Request().ContentLength == 0:
		return apperror.New(apperror.Invalid, "Request must specify data.")
	case c.Request().ContentLength > maxPageUpload:
		return tooLarge
	}
	run, err := a.tracking.Run(c.Request().Context(), id)
	if err != nil {
		return err
	}
	store, root, err := a.files.Find(run.ArtifactURI)
	if err != nil {
		return err
	}
	full, err := below(root, name)
	if err != nil {
		return err
	}
	body := &upload{Reader: http.MaxBytesReader(c.Response(), c.Request().Body, maxPageUpload)}
	err = store.Put(c.Request().Context(), full, body)
	var over *http.MaxBytesError
	switch {
	case errors.As(body.err, &over):
		return tooLarge
	case body.err != nil:
		return apperror.Wrap(apperror.Invalid, body.err, "The upload broke off; nothing was stored.")
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, object{})
}

func (a *api) deleteArtifact(c echo.Context) error {
	if err := a.files.Proxied().Delete(c.Request().Context(), artifactPath(c)); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, object{})
}

// listArtifacts answers with the names in a folder.
func (a *api) listArtifacts(ctx context.Context, r *request) (any, error) {
	folder := artifact.Tidy(r.text("path"))
	if err := r.err(); err != nil {
		return nil, err
	}
	files, err := listFiles(ctx, a.files.Proxied(), folder, func(i artifact.Info) string { return path.Base(i.Path) })
	return listing("", files), err
}

func listFiles(ctx context.Context, store artifact.Store, folder string, name func(artifact.Info) string) ([]mlflowapi.FileInfo, error) {
	found, err := store.List(ctx, folder)
	if err != nil {
		return nil, err
	}
	files := make([]mlflowapi.FileInfo, len(found))
	for i, f := range found {
		files[i] = mlflowapi.FileInfo{Path: name(f), IsDir: f.IsDir}
		if !f.IsDir {
			size := mlflowapi.Int(f.Size)
			files[i].FileSize = &size
		}
	}
	return files, nil
}

func listing(root string, files []mlflowapi.FileInfo) object {
	answer := object{}
	if root != "" {
		answer["root_uri"] = root
	}
	if len(files) > 0 {
		answer["files"] = files
	}
	return answer
}

// below joins a path that a client names to a folder, and refuses one that would leave it. Codes: Invalid.
func below(folder, name string) (string, error) {
	name = artifact.Tidy(name)
	if err := artifact.CheckPath(name); err != nil {
		return "", err
	}
	return path.Join(folder, name), nil
}

// listUnder answers with what is in a folder below uri, with paths relative to uri.
func (a *api) listUnder(ctx context.Context, uri, folder string) (any, error) {
	store, root, err := a.files.Find(uri)
	if err != nil {
		return nil, err
	}
	full, err := below(root, folder)
	if err != nil {
		return nil, err
	}
	files, err := listFiles(ctx, store, full, func(i artifact.Info) string { return path.Join(folder, path.Base(i.Path)) })
	return listing(uri, files), err
}

func (a *api) listRunArtifacts(ctx context.Context, r *request) (any, error) {
	id, folder := r.runID(), r.text("path")
	if err := r.err(); err != nil {
		return nil, err
	}
	run, err := a.tracking.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.listUnder(ctx, run.ArtifactURI, folder)
}

func (a *api) listModelArtifacts(ctx context.Context, r *request) (any, error) {
	folder := r.text("artifact_directory_path")
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := a.tracking.LoggedModel(ctx, r.path["model_id"])
	if err != nil {
		return nil, err
	}
	return a.listUnder(ctx, m.ArtifactURI, folder)
}

// downloadUnder sends a file below uri.
func (a *api) downloadUnder(c echo.Context, uri, name string) error {
	store, root, err := a.files.Find(uri)
	if err != nil {
		return err
	}
	full, err := below(root, name)
	if err != nil {
		return err
	}
	if full == root {
		return apperror.New(apperror.Invalid, "Missing value for required parameter 'path'.")
	}
	return download(c, store, full)
}

func (a *api) getRunArtifact(c echo.Context) error {
	r, err := readRequest(c)
	if err != nil {
		return err
	}
	id, name := r.runID(), r.required("path")
	if err := r.err(); err != nil {
		return err
	}
	run, err := a.tracking.Run(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return a.downloadUnder(c, run.ArtifactURI, name)
}

func (a *api) getVersionArtifact(c echo.Context) error {
	r, err := readRequest(c)
	if err != nil {
		return err
	}
	model, version, name := r.required("name"), r.required("version"), r.required("path")
	if err := r.err(); err != nil {
		return err
	}
	if err := artifact.CheckPath(artifact.Tidy(name)); err != nil { // before anything is looked up
		return err
	}
	uri, err := a.models.DownloadURI(c.Request().Context(), model, version)
	if err != nil {
		return err
	}
	return a.downloadUnder(c, uri, name)
}

func (a *api) getModelArtifact(c echo.Context) error {
	r, err := readRequest(c)
	if err != nil {
		return err
	}
	name := r.required("artifact_file_path")
	if err := r.err(); err != nil {
		return err
	}
	m, err := a.tracking.LoggedModel(c.Request().Context(), r.path["model_id"])
	if err != nil {
		return err
	}
	return a.downloadUnder(c, m.ArtifactURI, name)
}
