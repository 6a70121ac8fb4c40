package tracking

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
	"tasador/pkg/registry"
	"tasador/web"
)

// maxText is how many bytes of text a page shows; larger files are downloaded.
const maxText = 64 << 10

// place is where the files of a run or a logged model are, and the addresses that show and send them.
type place struct {
	uri      string // of the artifacts
	page     string // of the page that shows them
	download string // of a file, without its name
	image    string // of a picture that the page shows, without its name
}

func runPlace(r *experiment.Run) place {
	return place{r.ArtifactURI, "/runs/" + r.ID + "/artifacts", "/get-artifact?run_id=" + url.QueryEscape(r.ID) + "&path=", "/runs/" + r.ID + "/image?path="}
}

func modelPlace(m *experiment.LoggedModel) place {
	return place{
		m.ArtifactURI, "/logged-models/" + m.ID,
		mlflowapi.PrefixAjax + "/2.0/mlflow/logged-models/" + m.ID + "/artifacts/files?artifact_file_path=",
		"/logged-models/" + m.ID + "/image?path=",
	}
}

// folder is one folder of artifacts, with perhaps one of its files open.
type folder struct {
	Path    string
	Crumbs  []crumb // the folders above, the root first; empty at the root
	Files   []fileLine
	Open    *openFile
	Problem *apperror.Sentence // why there is no list
}

type crumb struct{ Name, Href string }

// fileLine is a file or a folder in the list.
type fileLine struct {
	Name, Href, Download string
	IsDir                bool
	Size                 int64
}

// openFile is a file that the page shows, if it is small and text or a picture.
type openFile struct {
	Name, Download, Text string
	Image                string // address of the picture
	Shown                bool
}

// folder lists a folder and opens the file show, if one is named. Failures are said in place of the list: the rest of the page stands.
func (p *pages) folder(ctx context.Context, at place, dir, show string) folder {
	f := folder{Path: dir}
	files, root, err := p.files.Find(at.uri)
	if err == nil {
		err = f.fill(ctx, files, at, root, show)
	}
	if err != nil {
		what := apperror.SentenceOf(err)
		f.Problem = &what
	}
	return f
}

func (f *folder) fill(ctx context.Context, store artifact.Store, at place, root, show string) error {
	full, err := below(root, f.Path)
	if err != nil {
		return err
	}
	files, err := store.List(ctx, full)
	if err != nil {
		return err
	}
	if f.Path != "" {
		f.Crumbs = crumbs(at, f.Path)
	}
	for _, file := range files {
		name := path.Base(file.Path)
		inside := path.Join(f.Path, name)
		line := fileLine{Name: name, IsDir: file.IsDir, Size: file.Size, Href: at.page + "?path=" + url.QueryEscape(inside)}
		if !file.IsDir {
			line.Href = at.page + "?path=" + url.QueryEscape(f.Path) + "&file=" + url.QueryEscape(name) + "#file"
			line.Download = at.download + url.QueryEscape(inside)
		}
		f.Files = append(f.Files, line)
	}
	if show == "" {
		return nil
	}
	f.Open, err = openText(ctx, store, at, root, path.Join(f.Path, show))
	return err
}

func crumbs(at place, dir string) []crumb {
	list := []crumb{{"/", at.page}}
	parts := strings.Split(strings.Trim(dir, "/"), "/")
	for i, part := range parts {
		list = append(list, crumb{part, at.page + "?path=" + url.QueryEscape(path.Join(parts[:i+1]...))})
	}
	return list
}

// openText looks at a file, and reads it if it is small and holds text. Codes: Invalid, NotFound.
func openText(ctx context.Context, store artifact.Store, at place, root, name string) (*openFile, error) {
	full, err := below(root, name)
	if err != nil {
		return nil, err
	}
	content, info, err := store.Open(ctx, full)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	file := &openFile{Name: name, Download: at.download + url.QueryEscape(name)}
	bytes, err := io.ReadAll(io.LimitReader(content, maxText+1))
	if err != nil {
		return nil, err
	}
	if imageType(bytes) != "" && info.Size <= maxImage {
		file.Image, file.Shown = at.image+url.QueryEscape(name), true
		return file, nil
	}
	if len(bytes) > maxText {
		return file, nil
	}
	file.Text = string(bytes)
	if file.Shown = isText(file.Text); !file.Shown {
		file.Text = ""
	}
	return file, nil
}

// isText reports whether s reads as text: UTF-8 without control characters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < ' ' && r != '\n' && r != '\r' && r != '\t') || r == 0x7f
	})
}

// filesPage is the content of the page with the artifacts of a run.
type filesPage struct {
	Run   experiment.Run
	Files folder
}

// runFiles is GET /runs/:id/artifacts.
func (p *pages) runFiles(c echo.Context) error {
	ctx, id := c.Request().Context(), c.Param("id")
	run, err := p.store.Run(ctx, id)
	if err != nil {
		return found(err, "There is no run %s.", id)
	}
	body := filesPage{Run: *run, Files: p.folder(ctx, runPlace(run), c.QueryParam("path"), c.QueryParam("file"))}
	return p.write(c, http.StatusOK, "files", web.Page{Title: "Artifacts", Name: run.Name, Body: body})
}

// loggedModelPage is the content of the page of a logged model.
type loggedModelPage struct {
	Model    experiment.LoggedModel
	Created  moment
	Run      *runLine
	Versions []versionLink
	Files    folder
}

// loggedModel is GET /logged-models/:id.
func (p *pages) loggedModel(c echo.Context) error {
	ctx := c.Request().Context()
	m, err := p.store.LoggedModel(ctx, last(c))
	if err != nil {
		return found(err, "There is no logged model %s.", last(c))
	}
	body := loggedModelPage{
		Model: *m, Created: moment(m.CreationTime), Files: p.folder(ctx, modelPlace(m), c.QueryParam("path"), c.QueryParam("file")),
	}
	run, err := p.store.Run(ctx, m.SourceRunID)
	switch code := apperror.CodeOf(err); {
	case err == nil:
		line := newRunLine(*run)
		body.Run = &line
		if body.Versions, err = p.versionsOf(ctx, m); err != nil {
			return err
		}
	case code != apperror.NotFound && code != apperror.Invalid: // made outside of a run
		return err
	}
	return p.write(c, http.StatusOK, "model_files", web.Page{Title: "Logged model", Name: m.Name, Body: body})
}

// versionsOf returns the versions of registered models that a logged model became.
func (p *pages) versionsOf(ctx context.Context, m *experiment.LoggedModel) ([]versionLink, error) {
	all, err := p.store.VersionsOfRuns(ctx, []string{m.SourceRunID})
	var own []registry.Version
	for _, v := range all {
		if v.ModelID == m.ID {
			own = append(own, v)
		}
	}
	return versionLinks(own), err
}
