package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/web"
)

func translations(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("translations/es.json")
	require.NoError(t, err)
	var es map[string]string
	require.NoError(t, json.Unmarshal(content, &es))
	return es
}

func TestEveryTextOfTheTemplatesIsTranslated(t *testing.T) {
	es := translations(t)
	templates, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	require.NotEmpty(t, templates)
	for _, file := range templates {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\{\{t "([^"]+)"`).FindAllStringSubmatch(string(content), -1) {
			require.Contains(t, es, m[1], "%s has a text that es.json lacks", file)
		}
		bare := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`).ReplaceAllString(string(content), " ")
		for _, word := range regexp.MustCompile(`\p{L}{3,}`).FindAllString(bare, -1) {
			require.Contains(t, []string{"tasador", "Dag_Run_ID", "Dag", "Run", "openapi", "json", "dags", "trigger", "realtor", "price", "model", "curl", "Content", "Type", "application", "UTC", "conf", "wait", "XCom", "api", "backfill", "from", "date", "dry", "run", "Esc"},
				word, "%s shows a text that is not translated", file)
		}
	}
}

func TestTranslationsKeepTheirPlaces(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]`)
	for key, text := range translations(t) {
		require.NotEmpty(t, text)
		require.Equal(t, verbs.FindAllString(key, -1), verbs.FindAllString(text, -1), key)
	}
}

func page(t *testing.T, site *web.Site, address string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header = header
	w := httptest.NewRecorder()
	landing := site.Landing(web.LandingOptions{
		Role: "tracking", Version: "1.2.3", Intro: "What runs here",
		Entries: []web.Entry{{Path: "/<b>", What: "Metrics for Prometheus"}},
		Header: func(_ *http.Request, p *web.Page) {
			p.Links = []web.Link{{Label: "Appraise", Href: "javascript:alert(1)"}}
		},
	})
	require.NoError(t, landing(w, r))
	return w
}

func TestALandingPage(t *testing.T) {
	site, err := web.New()
	require.NoError(t, err)
	w := page(t, site, "/", http.Header{"Accept-Language": {"de,en;q=0.5"}})
	require.Equal(t, http.StatusOK, w.Code)
	body := w.Body.String()
	require.Contains(t, body, "What runs here")
	require.Contains(t, body, "1.2.3")
	require.Contains(t, body, "/&lt;b&gt;")
	require.NotContains(t, body, "javascript:alert")

	w = page(t, site, "/?lang=es&theme=dark", http.Header{"Accept-Language": {"en"}})
	require.Contains(t, w.Body.String(), "Qué se ejecuta aquí")
	require.Contains(t, w.Body.String(), `data-theme="dark"`)
	var kept []string
	for _, c := range w.Result().Cookies() {
		kept = append(kept, c.Name+"="+c.Value)
	}
	require.ElementsMatch(t, []string{"lang=es", "theme=dark"}, kept)

	w = page(t, site, "/?lang=xx&theme=pink", http.Header{})
	require.Contains(t, w.Body.String(), `<html lang="en">`)
	require.Empty(t, w.Result().Cookies(), "what is not offered is not remembered")
}

func TestStaticFilesMayBeKeptByTheirHash(t *testing.T) {
	site, err := web.New()
	require.NoError(t, err)
	body := page(t, site, "/", http.Header{}).Body.String()
	address := regexp.MustCompile(`/static/app\.css\?v=[0-9a-f]+`).FindString(body)
	require.NotEmpty(t, address)
	ask := func(address string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		site.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		return w
	}
	w := ask(address)
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	require.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), "text/css"))
	require.NotContains(t, ask("/static/app.css").Header().Get("Cache-Control"), "immutable")
	require.Equal(t, http.StatusNotFound, ask("/static/../embed.go").Code)
	require.Equal(t, http.StatusNotFound, ask("/static/").Code)
}

func TestScriptsAreSmall(t *testing.T) {
	scripts, err := filepath.Glob("static/*.js")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	total := 0
	for _, file := range scripts {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		total += len(content)
	}
	require.Less(t, total, 100<<10, "bytes, before compression")
}
