package pipeline

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/config"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/testkit"
)

// startWithData is start with a database of listings behind the pages.
func startWithData(t *testing.T) (*server, *datasetstore.Store, string) {
	t.Helper()
	folder := t.TempDir()
	store, err := datasetstore.Open(t.Context(), datasetstore.Options{
		RawURL: "sqlite:" + filepath.Join(folder, "raw.db"), CleanURL: "sqlite:" + filepath.Join(folder, "clean.db"), SpillDir: filepath.Join(folder, "spill"),
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ln := testkit.Listen(t)
	service, err := open(t.Context(), settings(t, folder), ln, slog.New(slog.NewTextHandler(t.Output(), nil)), nil, func(ctx context.Context, cfg *config.Config, log *slog.Logger) (job, error) {
		j, err := smallJob(ctx, cfg, log)
		j.batches, j.close = store, store.Close
		return j, err
	})
	require.NoError(t, err)
	testkit.Serve(t, service)
	s := &server{url: "http://" + ln.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s, store, folder
}

// collect stores rows as the batch of a DAG run.
func collect(t *testing.T, store *datasetstore.Store, id string, at time.Time, rows ...property.Listing) {
	t.Helper()
	seen, err := store.SeenRows(t.Context())
	require.NoError(t, err)
	profiler := dataset.NewProfiler(seen)
	profiler.AddColumns(property.Columns()...)
	for i := range rows {
		profiler.Add(&rows[i])
	}
	_, err = store.StoreBatch(t.Context(), datasetstore.Claim{DAGRunID: id, TaskID: "extract_data", Fence: 1}, datasetstore.Batch{
		DAGRunID: id, Rows: len(rows), PayloadSHA256: "abc", Columns: property.Columns(), Profile: profiler.Profile(), FetchedAt: at,
	}, func(_ *datasetstore.Batch, insert func(property.Listing) error) error {
		for _, l := range rows {
			if err := insert(l); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
}

func house(change func(*property.Listing)) property.Listing {
	l := property.Listing{
		BrokeredBy: 1, Status: property.NewText("sold"), Price: 250_000, Bed: 3, Bath: 2, AcreLot: 0.5, Street: 7, City: property.NewText("Lima"),
		State: property.NewText("Ohio"), ZipCode: property.NewText("00601"), HouseSize: 1500, PrevSoldDate: property.NewText("2020-01-02"),
	}
	change(&l)
	return l
}

var collected = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestPagesShowWhatWasCollected(t *testing.T) {
	s, store, _ := startWithData(t)
	require.Contains(t, s.see(t, "/data"), "tasador dags trigger small --wait")
	same := house(func(*property.Listing) {})
	collect(t, store, "r+1", collected, same, house(func(l *property.Listing) { l.Price = 1e308 }))
	evil := house(func(l *property.Listing) { l.City = property.NewText(`<script>alert(1)</script>`) })
	collect(t, store, "<b>", collected.Add(time.Hour), same, evil, house(func(l *property.Listing) { l.Bath = property.Null() }), house(func(l *property.Listing) { l.Bed = 11 }))
	require.NoError(t, store.SetVerdict(t.Context(), datasetstore.Claim{DAGRunID: "<b>", TaskID: "decide_to_train", Fence: 1}, datasetstore.Verdict{
		Decision: "end_no_train", Reason: "Nulos en: ['bath'] (bath: 1)", Gate: dataset.Gate{Nullable: []string{"price"}, MinNewRecords: 12345}, RunID: "0a1b",
	}))

	list := s.see(t, "/data")
	require.Less(t, strings.Index(list, `href="/data/%3Cb%3E"`), strings.Index(list, `href="/data/r+1"`), "the last collected first")
	require.Contains(t, list, "bath 25%")
	require.Contains(t, list, "not judged yet")

	batch := s.see(t, "/data/%3Cb%3E")
	require.Contains(t, batch, "1 of them, compared with 2 rows collected earlier.", "the one that equals the first row of r+1")
	require.Contains(t, batch, "12,345")
	require.Regexp(t, `(?s)<table id="objections">.*>bath<.*>1<.*>0<.*whole, 0 to 10.*>bed<.*>0<.*>1<`, batch)
	require.Contains(t, batch, `/runs/0a1b"`)
	require.Equal(t, 1, strings.Count(batch, "<script>alert(1)</script>"), "escaped on the page")
	require.Contains(t, s.see(t, "/data/r+1"), "It has not judged these rows yet.")

	for _, path := range []string{"/data/none", "/data?page=2", "/data?page=0", "/data?page=x"} {
		status, _, _ := s.page(t, http.MethodGet, path, nil)
		require.Contains(t, []int{http.StatusNotFound, http.StatusBadRequest}, status, path)
	}
	s.trigger(t, `{"dag_run_id": "empty"}`)
	status, text, _ := s.page(t, http.MethodGet, "/data/empty", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, "There are no rows of this DAG run")
}

func TestBatchesArePaged(t *testing.T) {
	s, store, _ := startWithData(t)
	for i := range 27 {
		collect(t, store, fmt.Sprintf("run-%02d", i), collected.Add(time.Duration(i)*time.Hour), house(func(*property.Listing) {}))
	}
	first, second := s.see(t, "/data"), s.see(t, "/data?page=2")
	require.Contains(t, first, "Batches 1 to 25 of 27")
	require.Contains(t, first, "run-26")
	require.NotContains(t, first, ">run-01<")
	require.Contains(t, second, ">run-01<")
	require.Contains(t, second, ">run-00<")
	require.NotContains(t, second, `id="older"`)
}

// TestABatchOfAnEarlierVersionIsShown has a profile as it was stored before there were statistics.
func TestABatchOfAnEarlierVersionIsShown(t *testing.T) {
	s, store, folder := startWithData(t)
	collect(t, store, "old", collected, house(func(*property.Listing) {}))
	db, err := sql.Open("sqlite", filepath.Join(folder, "raw.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), `UPDATE raw_batches SET row_count = 40, profile = '{"rows":40,"columns":["status","bed","bath","acre_lot","house_size","prev_sold_date","price"],"defects":[{"null":["bath"],"rows":8},{"null":["bath"],"out_of_range":["price"],"rows":2},{"out_of_range":["price"],"rows":2}]}'`)
	require.NoError(t, err)
	page := s.see(t, "/data/old")
	require.Contains(t, page, "These rows have no profile")
	require.Regexp(t, `(?s)id="column-bath".*?10 \(25%\).*?</tr>`, page)
	require.Regexp(t, `(?s)id="column-price".*?<td class="num">0</td><td class="num"><span title="above 0">4</span></td>`, page)
	require.Contains(t, s.see(t, "/data"), "bath 25%")
	batch, err := store.Batch(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, "Nulos en: ['bath'] (bath: 10) & Fuera de rango en: ['price'] (price: 4)", dataset.Gate{}.Decide(batch.Profile).Reason)
}

func TestAHistogramStandsOnZero(t *testing.T) {
	n := &dataset.NumberStatistics{Values: 16, Histogram: dataset.Histogram{Start: 10, Width: 5, Counts: []int{4, 0, 10, 1}, Below: 1}}
	v := drawHistogram(property.Price, n, frame{width: 100, height: 50, above: 10, below: 10})
	require.Equal(t, []histogramBar{
		{X: "0.5", Y: "28.0", W: "24.0", H: "12.0", From: 10, To: 15, Rows: 4},
		{X: "25.5", Y: "40.0", W: "24.0", H: "0.0", From: 15, To: 20},
		{X: "50.5", Y: "10.0", W: "24.0", H: "30.0", From: 20, To: 25, Rows: 10},
		{X: "75.5", Y: "37.0", W: "24.0", H: "3.0", From: 25, To: 30, Rows: 1},
	}, v.Bars)
	require.Equal(t, []tick{{"0", "start", 10}, {"50.0", "middle", 20}, {"100", "end", 30}}, v.Ticks)
	require.Equal(t, 1, v.Below)
}

func TestRulesAndUnitsAreTranslated(t *testing.T) {
	content, err := os.ReadFile("../../web/translations/es.json")
	require.NoError(t, err)
	var spanish map[string]string
	require.NoError(t, json.Unmarshal(content, &spanish))
	for _, column := range property.Required() {
		require.NotEmpty(t, spanish[ruleOf(column).Format], column)
	}
	for _, column := range describedColumns {
		require.NotEmpty(t, spanish[units[column]], column)
	}
}
