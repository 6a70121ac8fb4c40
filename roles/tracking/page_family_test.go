package tracking_test

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

// linkOf returns the address of the link with an id.
func linkOf(t *testing.T, page, id string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]+)" id="` + id + `"`).FindStringSubmatch(page)
	require.NotNil(t, m, id)
	return html.UnescapeString(m[1])
}

func TestTheFamilyOfARun(t *testing.T) {
	s := start(t)
	c := s.client()
	parent := newRun(t, c, "0", "sweep", experiment.Batch{})
	require.NotContains(t, s.page(t, "/runs/"+parent, http.StatusOK), `class="compare-with"`, "there is nothing to compare it with")
	var children []string
	for i := range 3 {
		run, err := c.CreateRun(t.Context(), experiment.NewRun{
			ExperimentID: "0", Name: fmt.Sprintf("child %d", i), StartTime: 1_800_000_060_000 + int64(i),
			Tags: []experiment.Tag{{Key: "mlflow.parentRunId", Value: parent}},
		})
		require.NoError(t, err)
		children = append(children, run.ID)
	}
	page := s.page(t, "/runs/"+parent, http.StatusOK)
	_, list, _ := strings.Cut(page, `aria-labelledby="children"`)
	require.Equal(t, []string{"child 2", "child 1", "child 0"}, names(list, "/runs/"))
	with := s.page(t, linkOf(t, page, "with-children"), http.StatusOK)
	require.Equal(t, []string{"1: sweep", "2: child 2", "3: child 1", "4: child 0"}, names(with, "/runs/")[:4])

	page = s.page(t, "/runs/"+children[1], http.StatusOK)
	require.Equal(t, "/runs/"+parent, regexp.MustCompile(`href="([^"]+)" id="parent"`).FindStringSubmatch(page)[1])
	require.Equal(t, []string{"1: child 1", "2: child 2", "3: child 0"}, names(s.page(t, linkOf(t, page, "with-siblings"), http.StatusOK), "/runs/")[:3])
	require.Equal(t, []string{"1: child 1", "2: child 0"}, names(s.page(t, linkOf(t, page, "with-previous"), http.StatusOK), "/runs/")[:2])

	stray := newRun(t, c, "0", "stray", experiment.Batch{Tags: []experiment.Tag{{Key: "mlflow.parentRunId", Value: "' OR 1=1"}}})
	require.NotContains(t, s.page(t, "/runs/"+stray, http.StatusOK), `id="parent"`)
}

func TestDatasetsOfARun(t *testing.T) {
	s := start(t)
	id := newRun(t, s.client(), "0", "used", experiment.Batch{})
	require.NoError(t, s.client().LogInputs(t.Context(), id, experiment.Inputs{Datasets: []experiment.DatasetInput{{
		Dataset: experiment.Dataset{Name: "listings", Digest: "d1", SourceType: "local", Source: `{"uri": "<b>"}`, Schema: `{"bed": "double"}`, Profile: `{"rows": 12885}`},
		Tags:    []experiment.Tag{{Key: experiment.TagDataContext, Value: "training"}},
	}}}))
	page := s.page(t, "/runs/"+id, http.StatusOK)
	for _, want := range []string{"listings", "d1", "training", html.EscapeString(`{"uri": "<b>"}`), html.EscapeString(`{"bed": "double"}`), html.EscapeString(`{"rows": 12885}`)} {
		require.Contains(t, page, want)
	}
}

// TestPicturesAreShownAndNothingElse: a picture is sent in a sandbox by what it is, whatever it is called; anything else is not sent.
func TestPicturesAreShownAndNothingElse(t *testing.T) {
	s := start(t)
	c := s.client()
	run, err := c.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0", Name: "pictures"})
	require.NoError(t, err)
	var asPNG, asJPEG bytes.Buffer
	picture := image.NewGray(image.Rect(0, 0, 4, 3))
	require.NoError(t, png.Encode(&asPNG, picture))
	require.NoError(t, jpeg.Encode(&asJPEG, picture, nil))
	large := asPNG.String() + strings.Repeat("\x00", 8<<20)
	for name, content := range map[string]string{
		"plots/a.png": asPNG.String(), "photo.html": asJPEG.String(), "fake.png": "<html><script>alert(1)</script>", "draw.svg": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "large.png": large,
	} {
		require.NoError(t, c.PutArtifact(t.Context(), run.ArtifactURI, name, strings.NewReader(content)))
	}
	here := "/runs/" + run.ID
	page := s.page(t, here+"/artifacts?path=plots&file=a.png", http.StatusOK)
	source := regexp.MustCompile(`<img class="preview" src="([^"]+)" alt="plots/a.png">`).FindStringSubmatch(page)
	require.NotNil(t, source)
	for address, want := range map[string]string{html.UnescapeString(source[1]): "image/png", here + "/image?path=photo.html": "image/jpeg"} {
		got := s.call(t, http.MethodGet, address, "", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, want, got.header.Get("Content-Type"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Equal(t, "default-src 'none'; sandbox", got.header.Get("Content-Security-Policy"))
	}
	require.Equal(t, asPNG.String(), s.call(t, http.MethodGet, html.UnescapeString(source[1]), "", "").body)
	for _, name := range []string{"fake.png", "draw.svg", "large.png"} {
		require.NotContains(t, s.page(t, here+"/artifacts?file="+name, http.StatusOK), "<img class", name)
		require.Contains(t, s.page(t, here+"/image?path="+name, http.StatusBadRequest), "Only PNG, JPEG, GIF and WebP pictures")
	}
	for _, path := range []string{"../../../secret", "nothing.png", "/etc/passwd", ""} {
		got := s.call(t, http.MethodGet, here+"/image?path="+url.QueryEscape(path), "", "")
		require.GreaterOrEqual(t, got.status, 400, path)
		require.Less(t, got.status, 500, path)
	}
	require.Contains(t, s.page(t, "/runs/nobody/image?path=a.png", http.StatusNotFound), "There is no run nobody.")
}
