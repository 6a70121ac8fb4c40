package roles_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/loadtest"
)

// TestTheReportOfALoadTestIsAPageForAll opens the HTML report from the disk: it needs nobody, fits every screen, and keeps nobody out.
func TestTheReportOfALoadTestIsAPageForAll(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%7 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"detail": "` + longWord + `"}`))
		}
	}))
	defer server.Close()
	bodies, err := loadtest.Generated(1, 1)
	require.NoError(t, err)
	report := loadtest.Run(t.Context(), loadtest.Plan{
		URL: server.URL + "/predict", Rate: 50, RampTo: 400, Duration: 2 * time.Second, Connections: 8, Timeout: time.Second, Bodies: bodies, Listings: 1,
	}, nil)
	limit := time.Nanosecond
	require.Error(t, report.Judge(loadtest.Limits{MaxP99: &limit}))
	path := filepath.Join(t.TempDir(), "report.html")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, report.WriteHTML(file))
	require.NoError(t, file.Close())

	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	b.open("file://" + path)
	require.Contains(t, b.text(".notice.bad"), "--max-p99 was missed: p99 was ")
	require.Equal(t, "450", b.text("[aria-labelledby=rate] tr:first-child td"))
	require.Zero(t, evaluate[int](b, `performance.getEntriesByType("resource").length`), "it asks for nothing beside itself")
	const drawn = `Array.from(document.querySelectorAll("figure > svg .line")).filter((l) => l.getTotalLength() > 100 && getComputedStyle(l).stroke !== "none").length`
	require.Equal(t, 8, evaluate[int](b, drawn), "max, p99, p50 and the limit; the distribution; asked, all and errors")
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1440} {
			b.do(chromedp.EmulateViewport(width, 900))
			require.Equal(t, theme, evaluate[string](b, `document.documentElement.dataset.theme = "`+theme+`"`))
			b.requireGoodPage(source, "the report", "loadtest-"+theme+"-"+strconv.FormatInt(width, 10), width)
		}
	}
}

// longWord is wider than a phone.
const longWord = "no-version-of-RealtorPriceModel-is-in-Production-yet-so-nothing-can-be-appraised-until-the-DAG-has-run"
