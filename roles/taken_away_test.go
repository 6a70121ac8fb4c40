package roles_test

import (
	"crypto/rand"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// spanishPage asks for a page as a browser does that reads Spanish, and sees that all of it is Spanish and has its header.
func spanishPage(t *testing.T, method, address string, form url.Values, status int) string {
	t.Helper()
	header := http.Header{"Accept": {"text/html"}, "Accept-Language": {"es"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	got, body := send(t, method, address, header, form.Encode())
	require.Equal(t, status, got, body)
	body = html.UnescapeString(body)
	require.Contains(t, body, `<nav aria-label="Servidores">`)
	requireSpanish(t, body)
	return body
}

// requireSpanish sees that a page holds no English sentence that has a Spanish one.
func requireSpanish(t *testing.T, page string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "web", "translations", "es.json"))
	require.NoError(t, err)
	var es map[string]string
	require.NoError(t, json.Unmarshal(content, &es))
	const short = 16 // letters; less may be a name
	for english, spanish := range es {
		for _, part := range regexp.MustCompile(`%[.0-9]*[a-z]`).Split(english, -1) {
			if len(part) >= short && !strings.Contains(spanish, part) {
				require.NotContains(t, page, part)
			}
		}
	}
}

// waitNotReady waits until the header says that a role is not ready.
func waitNotReady(t *testing.T, address, role, part string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, body := get(t, address)
		return strings.Contains(body, `title="`+role+`: not ready (`+part+`)"`)
	}, 30*time.Second, 50*time.Millisecond)
}

// TestPagesWithoutTracking stops tracking under serving and the pipeline.
func TestPagesWithoutTracking(t *testing.T) {
	tracking := startStack(t, nil, config.RoleTracking)
	s := startStack(t, func(cfg *config.Config) { cfg.Tracking.URI = tracking.cfg.Tracking.URI }, config.RoleSource, config.RolePipeline, config.RoleServing)
	tracking.stop()
	says := "no se puede llegar al servidor tracking " + tracking.cfg.Tracking.URI + "; compruebe que está en marcha y que la dirección es correcta"
	require.Eventually(t, func() bool {
		_, body := send(t, http.MethodGet, s.serving("/"), http.Header{"Accept-Language": {"es"}}, "")
		return strings.Contains(body, "No se puede servir ninguna versión de RealtorPriceModel: "+says)
	}, 30*time.Second, 50*time.Millisecond)
	first := spanishPage(t, http.MethodGet, s.serving("/"), nil, http.StatusOK)
	require.Contains(t, first, "El historial lo guarda tracking, que no responde: "+says)
	require.Contains(t, first, `title="tracking: desconocido, no responde"`)
	spanishPage(t, http.MethodGet, s.serving("/predictions"), nil, http.StatusOK)
	spanishPage(t, http.MethodGet, s.serving("/docs"), nil, http.StatusOK)
	spanishPage(t, http.MethodPost, s.serving("/"), url.Values{"status": {"for_sale"}, "bed": {"3"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"2000"}}, http.StatusServiceUnavailable)
	for _, path := range []string{"/", "/dags/realtor_price_model"} {
		require.Contains(t, spanishPage(t, http.MethodGet, s.pipeline(path), nil, http.StatusOK), `title="tracking: desconocido, no responde"`)
	}
}

// TestPagesWithoutTheirFiles takes the databases and the folder of artifacts away from running roles.
func TestPagesWithoutTheirFiles(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	file := func(name string) string { return filepath.Join(s.cfg.DataDir, name) }

	require.NoError(t, os.Rename(file("artifacts"), file("elsewhere")))
	_, model := get(t, s.cfg.Tracking.URI+"/models/RealtorPriceModel")
	logged := regexp.MustCompile(`/logged-models/[^"]+`).FindString(model)
	require.NotEmpty(t, logged)
	require.Contains(t, spanishPage(t, http.MethodGet, s.cfg.Tracking.URI+logged, nil, http.StatusOK), "la carpeta de artefactos "+file("artifacts")+" se movió, se cambió o se borró")
	waitNotReady(t, s.serving("/docs?lang=en"), "tracking", "artifacts")
	require.NoError(t, os.Rename(file("elsewhere"), file("artifacts")))

	require.NoError(t, os.Rename(file("predictions.db"), file("moved.db")))
	listing := url.Values{"status": {"for_sale"}, "bed": {"3"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"2000"}}
	require.Contains(t, spanishPage(t, http.MethodPost, s.serving("/"), listing, http.StatusOK), `id="appraisal"`)
	require.Eventually(t, func() bool {
		_, body := get(t, s.serving("/readyz"))
		return strings.Contains(body, "1 requests wait in the journal") && strings.Contains(body, "was removed or replaced while it was in use")
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, os.Rename(file("moved.db"), file("predictions.db")))
	spanishPage(t, http.MethodPost, s.serving("/"), listing, http.StatusOK)
	s.requireRecorded(t, 2)

	require.NoError(t, os.Rename(file("serving/journal"), file("moved")))
	waitNotReady(t, s.pipeline("/?lang=en"), "serving", "journal")
	require.NoError(t, os.Rename(file("moved"), file("serving/journal")))

	require.NoError(t, os.Rename(file("tracking.db"), file("moved.db")))
	waitNotReady(t, s.cfg.Tracking.URI+"/?lang=en", "tracking", "database")
	require.NoFileExists(t, file("tracking.db"), "no empty database is made in its place")
	require.NoError(t, os.Rename(file("moved.db"), file("tracking.db")))
}

// TestPagesOfADamagedDatabase overwrites the database of the pipeline.
func TestPagesOfADamagedDatabase(t *testing.T) {
	before := startStack(t, nil, config.RolePipeline)
	before.stop() // so that all is in the one file, and nothing beside it
	s := startStack(t, func(cfg *config.Config) { cfg.DataDir = before.cfg.DataDir }, config.RolePipeline)
	f, err := os.OpenFile(filepath.Join(s.cfg.DataDir, "pipeline.db"), os.O_WRONLY, 0)
	require.NoError(t, err)
	noise := make([]byte, 1<<20)
	_, err = rand.Read(noise)
	require.NoError(t, err)
	_, err = f.Write(noise)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, path := range []string{"/", "/dags/realtor_price_model", "/dags/realtor_price_model/runs/night", "/dags/realtor_price_model/runs/night/tasks/end"} {
		require.Eventually(t, func() bool {
			status, _ := get(t, s.pipeline(path))
			return status == http.StatusServiceUnavailable
		}, 30*time.Second, 50*time.Millisecond)
		require.Contains(t, spanishPage(t, http.MethodGet, s.pipeline(path), nil, http.StatusServiceUnavailable), "pipeline.db está dañado o no es una base de datos SQLite")
	}
}
