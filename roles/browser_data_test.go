package roles_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/trackingclient"
)

// raw asks RawData for a number as a person with another tool would.
func (s *stack) raw(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.cfg.DataDir, "rawdata.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n), query)
	return n
}

// grouped writes a count as an English page does, in a way of its own.
func grouped(n int) string {
	return strings.TrimSuffix(strings.TrimPrefix(money(float64(n)), "$"), ".00")
}

// cell is the text of a cell of a table, its column counted from 1.
func (b tab) cell(row string, column int) string {
	b.t.Helper()
	return strings.TrimSpace(b.text(fmt.Sprintf("%s > :nth-child(%d)", row, column)))
}

// arrive clicks a link and waits until the page that it leads to shows something; while one page gives way to the other, looking fails.
func (b tab) arrive(link, arrived string) {
	b.t.Helper()
	b.click(link)
	require.Eventually(b.t, func() bool { return chromedp.Do(b.ctx, chromedp.WaitVisible(chromedp.CSS(arrived))) == nil }, 30*time.Second, 20*time.Millisecond)
}

func TestAPersonLooksAtTheRows(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, func(cfg *config.Config) { cfg.Source.Batches = "1500,1200:nulls=bath:wrong=price,rest" }, config.RoleNames()...)
	b, source := tab{t: t, ctx: browser(t)}, axe(t)

	// There are no rows yet; the page says how to get some.
	b.open(s.pipeline("/"))
	b.arrive("#data", "#no-batches")
	require.Contains(t, b.text("#no-batches"), "There are no rows")
	b.requireAccessible(source, "no batches")
	b.picture("data-empty")
	b.arrive("main p a[href='/']", "#trigger")
	b.arrive("#trigger", "#triggered")
	store := s.runs(t)
	newest, _, err := store.Runs(t.Context(), dagrunstore.RunQuery{DAGID: realtor.DAG, Limit: 1})
	require.NoError(t, err)
	id := newest[0].ID
	run, _ := ended(t, store, id)
	require.Equal(t, dag.RunSuccess, run.State)

	// From the run to its rows: what the page says is what the tables hold.
	b.open(s.pipeline("/dags/realtor_price_model/runs/" + id))
	b.arrive("#rows", "#row-count")
	require.Equal(t, "1,500", b.text("#row-count"))
	require.Equal(t, 1500, s.raw(t, "SELECT count(*) FROM realtor_raw"))
	require.Contains(t, b.text("#verdict"), "split_data")
	require.Equal(t, "1500 nuevos > 1000", b.text("#reason"))
	require.Contains(t, b.text("#seen"), "nothing was collected earlier")
	require.Zero(t, evaluate[int](b, `document.querySelectorAll("#objections").length`))
	require.Equal(t, "0", b.cell("#column-bath", 2))
	most := b.cell("#values-status tbody tr:first-child", 1)
	require.Equal(t, grouped(s.raw(t, "SELECT count(*) FROM realtor_raw WHERE status = ?", most)), b.cell("#values-status tbody tr:first-child", 2))
	require.Equal(t, s.raw(t, "SELECT count(*) FROM (SELECT status FROM realtor_raw GROUP BY status)"), evaluate[int](b, `document.querySelectorAll("#values-status tbody tr").length`))
	for _, split := range []string{"train", "validation", "test"} {
		require.Equal(t, grouped(s.raw(t, "SELECT count(*) FROM "+split)), b.cell("#split-"+split, 2))
	}
	require.Equal(t, s.raw(t, "SELECT count(*) FROM (SELECT bed FROM realtor_raw GROUP BY bed)"),
		evaluate[int](b, `[...document.querySelectorAll("#chart-bed tbody tr")].filter((r) => r.lastElementChild.textContent !== "0").length`), "each number of bedrooms has its bar")
	b.picture("data-batch")

	// The gate objects to the second batch, and says to what.
	s.runDAG(t, "second")
	b.open(s.pipeline("/data"))
	require.Equal(t, "second", b.cell("#batches tbody tr:first-child", 2), "the last collected first")
	require.Contains(t, b.cell("#batches tbody tr:last-child", 2), id)
	b.arrive("#batches tbody tr:first-child .id", "#row-count")
	nulls, wrong := s.raw(t, "SELECT count(*) FROM realtor_raw WHERE dag_run_id = 'second' AND bath IS NULL"), s.raw(t, "SELECT count(*) FROM realtor_raw WHERE dag_run_id = 'second' AND price IS NULL")
	require.Positive(t, nulls)
	require.Positive(t, wrong)
	require.Equal(t, fmt.Sprintf("Nulos en: ['bath'] (bath: %d) & Fuera de rango en: ['price'] (price: %d)", nulls, wrong), b.text("#reason"))
	require.Equal(t, "bath", b.cell("#objections tbody tr:nth-child(1)", 1))
	require.Equal(t, grouped(nulls), b.cell("#objections tbody tr:nth-child(1)", 2))
	require.Equal(t, "price", b.cell("#objections tbody tr:nth-child(2)", 1))
	require.Equal(t, grouped(wrong), b.cell("#objections tbody tr:nth-child(2)", 3))
	require.Equal(t, grouped(wrong), b.cell("#column-price", 3), "wrong type")
	require.Contains(t, b.text("#seen"), "compared with 1,500 rows collected earlier")
	b.picture("data-refused")

	// The decision run in tracking has the same profile.
	href := evaluate[string](b, `document.querySelector("#decision-run").href`)
	b.arrive("#decision-run", "#artifacts")
	b.picture("decision-run")
	s.requireProfile(t, href[strings.LastIndex(href, "/")+1:], "second")
	s.requireGoodDataPages(t, b, id)
}

// requireProfile compares the profile that a decision run has with the one that is kept with the batch.
func (s *stack) requireProfile(t *testing.T, runID, dagRunID string) {
	t.Helper()
	file, _, err := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{}).OpenArtifact(t.Context(), "runs:/"+runID, "profile/batch.json")
	require.NoError(t, err)
	logged, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	db, err := sql.Open("sqlite", filepath.Join(s.cfg.DataDir, "rawdata.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var kept string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT profile FROM raw_batches WHERE dag_run_id = ?", dagRunID).Scan(&kept))
	require.JSONEq(t, kept, string(logged))
	var tree map[string]any
	require.NoError(t, json.Unmarshal(logged, &tree))
	require.EqualValues(t, s.raw(t, "SELECT count(*) FROM realtor_raw WHERE dag_run_id = ?", dagRunID), tree["rows"])
}

// requireGoodDataPages looks at the pages in two widths, both languages and both themes: none scrolls sideways, and axe-core, which takes
// long, finds nothing in two of the four.
func (s *stack) requireGoodDataPages(t *testing.T, b tab, trained string) {
	t.Helper()
	source := axe(t)
	pages := map[string]string{"data": "/data", "trained": "/data/" + trained, "refused": "/data/second"}
	for _, view := range []struct {
		name, query string
		width       int64
		axe         bool
	}{
		{"en-light-1440", "?lang=en&theme=light", 1440, true}, {"es-dark-360", "?lang=es&theme=dark", 360, true},
		{"en-light-360", "?lang=en&theme=light", 360, false}, {"es-dark-1440", "?lang=es&theme=dark", 1440, false},
	} {
		b.do(chromedp.EmulateViewport(view.width, 900))
		for name, path := range pages {
			b.open(s.pipeline(path + view.query))
			over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
			b.picture("data-" + name + "-" + view.name)
			require.Zero(t, over, "%s is wider than %d pixels", path, view.width)
			if view.axe {
				b.requireAccessible(source, path+view.query)
			}
		}
	}
}
