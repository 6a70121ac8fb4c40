package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/dataset"
	"tasador/pkg/listingapi"
	"tasador/pkg/listinggen"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
	"tasador/roles/source"
)

// start runs the role until the test or the returned stop ends it, and gives its address.
func start(t *testing.T, dataDir string, settings config.Source) (base string, stop func()) {
	t.Helper()
	ln := testkit.Listen(t)
	service, err := source.New(t.Context(), &config.Config{DataDir: dataDir, Source: settings}, ln, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	end := testkit.Serve(t, service)
	return "http://" + ln.Addr().String(), func() { require.NoError(t, end()) }
}

func refused(t *testing.T, settings config.Source) error {
	t.Helper()
	return refusedIn(t, t.TempDir(), settings)
}

func refusedIn(t *testing.T, dataDir string, settings config.Source) error {
	t.Helper()
	ln := testkit.Listen(t)
	defer func() { require.NoError(t, ln.Close()) }()
	_, err := source.New(t.Context(), &config.Config{DataDir: dataDir, Source: settings}, ln, slog.New(slog.DiscardHandler), nil)
	require.Error(t, err)
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	require.NotContains(t, err.Error(), "\n")
	return err
}

// fetched is one answer as a pipeline sees it.
type fetched struct {
	payload  string
	finished bool
	batch    listingapi.Batch
	report   listingapi.Report
	rows     []property.Listing
	profile  *dataset.Profile
}

func fetch(t *testing.T, base, key string) fetched {
	t.Helper()
	var f fetched
	var kept bytes.Buffer
	answer, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), listingapi.Request{GroupNumber: 7, Day: "Tuesday", IdempotencyKey: key}, &kept)
	require.NoError(t, err)
	profiler := dataset.NewProfiler(nil)
	f.payload, f.finished = kept.String(), answer.Finished
	f.batch, f.report, err = listingapi.DecodeRows(t.Context(), &kept, func(r listingapi.Row) error {
		f.rows = append(f.rows, r.Listing)
		profiler.Add(&r.Listing, r.WrongTyped...)
		return nil
	})
	require.NoError(t, err)
	profiler.AddColumns(f.batch.Columns...)
	f.profile = profiler.Profile()
	return f
}

func restart(t *testing.T, base string) {
	t.Helper()
	require.NoError(t, listingapi.New(base, listingapi.Options{}).Restart(t.Context(), listingapi.Request{GroupNumber: 7, Day: "Tuesday"}))
}

func TestEveryKindOfBatch(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Seed: 1, Batches: "1500,0,80,1200:nulls=bath,1200:missing=bed,1300:gaps,1200:rows=array,1200:nulls=price:missing=acre_lot,1200:wrong=status:wrong=price"})
	gate := dataset.Gate{MinNewRecords: 1000}
	for i, want := range []string{
		"1500 nuevos > 1000",
		"0 new records",
		"80 nuevos ≤ 1000",
		"Nulos en: ['bath'] (bath: 120)",
		"Faltan columnas: ['bed']",
		"Nulos en: ['bed', 'bath', 'acre_lot', 'house_size', 'prev_sold_date']",
		"1200 nuevos > 1000",
		"Faltan columnas: ['acre_lot'] & Nulos en: ['price'] (price: 120)",
		"Fuera de rango en: ['status', 'price'] (status: 120, price: 120)",
	} {
		got := fetch(t, base, fmt.Sprintf("run-%d", i))
		require.False(t, got.finished)
		require.Equal(t, 7, got.batch.Group)
		require.Equal(t, i+1, got.batch.Number)
		if i < 8 {
			require.Empty(t, got.report.Invalid)
		} else {
			require.Equal(t, map[string]int{"status": 120, "price": 120}, got.report.Invalid)
		}
		require.Contains(t, gate.Decide(got.profile).Reason, want)
	}
	require.True(t, fetch(t, base, "run-9").finished)
	require.True(t, fetch(t, base, "").finished, "it stays exhausted")
}

func TestGeneratedBatchesAreThoseOfTheSeed(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Seed: 9, Batches: "40,30:gaps"})
	for stream, opts := range []listinggen.Options{{Seed: 9, Stream: 0, Complete: true}, {Seed: 9, Stream: 1}} {
		generator := listinggen.New(opts)
		got := fetch(t, base, "")
		require.Equal(t, property.Columns(), got.batch.Columns)
		for _, row := range got.rows {
			require.Equal(t, fmt.Sprintf("%+v", generator.Next()), fmt.Sprintf("%+v", row), "batch %d", stream)
		}
	}
}

func TestRestOfGeneratedListings(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Seed: 1, Batches: "5,rest"})
	require.Len(t, fetch(t, base, "").rows, 5)
	require.Len(t, fetch(t, base, "").rows, 15_000)
	require.True(t, fetch(t, base, "").finished)
}

func TestSameKeySameBatch(t *testing.T) {
	folder, settings := t.TempDir(), config.Source{Seed: 1, Batches: "30,20,10"}
	base, stop := start(t, folder, settings)
	first := fetch(t, base, "run-a")
	require.Equal(t, first.payload, fetch(t, base, "run-a").payload)
	second := fetch(t, base, "run-b")
	require.Equal(t, 2, second.batch.Number)
	require.Equal(t, first.payload, fetch(t, base, "run-a").payload)

	stop()
	base, stop = start(t, folder, settings)
	require.Equal(t, first.payload, fetch(t, base, "run-a").payload, "after a new start of the process")
	require.Equal(t, second.payload, fetch(t, base, "run-b").payload)
	require.Equal(t, 3, fetch(t, base, "run-c").batch.Number, "new keys go on where it was")
	require.True(t, fetch(t, base, "run-d").finished)

	restart(t, base)
	require.True(t, fetch(t, base, "run-d").finished, "this key was told that there is no more")
	require.Equal(t, second.payload, fetch(t, base, "run-b").payload)
	require.Equal(t, first.payload, fetch(t, base, "run-e").payload, "a new key gets the first batch again")

	stop()
	base, _ = start(t, folder, config.Source{Seed: 2, Batches: "30,20,10"})
	got := fetch(t, base, "run-b")
	require.Equal(t, 1, got.batch.Number, "other listings have nothing to do with the old keys")
	require.NotEqual(t, first.payload, got.payload)
}

func TestRequestsAtTheSameTimeGetDifferentBatches(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Seed: 1, Batches: strings.Repeat("5,", 19) + "5"})
	numbers := make(chan int)
	for range 20 {
		go func() {
			var answer struct {
				Number int `json:"batch_number"`
			}
			_ = json.Unmarshal([]byte(get(t, base+"/data?group_number=7&day=Monday").body), &answer)
			numbers <- answer.Number
		}()
	}
	seen := map[int]bool{}
	for range 20 {
		seen[<-numbers] = true
	}
	for n := 1; n <= 20; n++ {
		require.True(t, seen[n], "batch %d", n)
	}
}

type plainAnswer struct {
	status int
	body   string
}

func get(t *testing.T, url string) plainAnswer {
	// A connection that was opened but never used would hold up the server's stop.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return plainAnswer{}
	}
	body, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Error(err)
	}
	return plainAnswer{resp.StatusCode, string(body)}
}

func TestWrongRequests(t *testing.T) {
	folder := t.TempDir()
	base, _ := start(t, folder, config.Source{Seed: 1, Batches: "5,4"})
	before, err := os.ReadFile(filepath.Join(folder, "source.json"))
	require.NoError(t, err)
	for query, want := range map[string]plainAnswer{
		"":                                {422, "the parameter group_number is missing"},
		"?day=Tuesday":                    {422, "the parameter group_number is missing"},
		"?group_number=7":                 {422, "the parameter day is missing"},
		"?group_number=seven&day=Tuesday": {422, `group_number=\"seven\" is not a whole number`},
		"?group_number=7.5&day=Tuesday":   {422, `is not a whole number`},
		"?group_number=0&day=Tuesday":     {400, "there is no group 0; the groups are 1 to 99"},
		"?group_number=100&day=Tuesday":   {400, "there is no group 100"},
		"?group_number=7&day=Martes":      {400, `day=\"Martes\" is not a weekday`},
	} {
		for _, path := range []string{"/data", "/restart_data_generation"} {
			got := get(t, base+path+query)
			require.Equal(t, want.status, got.status, path+query)
			require.Contains(t, got.body, `{"detail":"`, path+query)
			require.Contains(t, got.body, want.body, path+query)
			require.NotContains(t, got.body, "Ya se recolect")
		}
	}
	_, err = listingapi.New(base, listingapi.Options{}).Fetch(t.Context(),
		listingapi.Request{GroupNumber: 7, Day: "Tuesday", IdempotencyKey: strings.Repeat("k", 256)}, io.Discard)
	require.ErrorContains(t, err, "the header Idempotency-Key is longer than 255 bytes")
	require.Equal(t, 404, get(t, base+"/nothing").status)
	after, err := os.ReadFile(filepath.Join(folder, "source.json"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "a wrong request changes nothing")
	require.Equal(t, 1, fetch(t, base, "").batch.Number)
}

func TestGroupsAreApart(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Seed: 1, Batches: "5,4"})
	require.Equal(t, 1, fetch(t, base, "").batch.Number)
	require.Contains(t, get(t, base+"/data?group_number=8&day=Friday").body, `{"group_number":8,"batch_number":1,`)
	require.Equal(t, 2, fetch(t, base, "").batch.Number)
	restart(t, base)
	require.Equal(t, 1, fetch(t, base, "").batch.Number)
	require.Contains(t, get(t, base+"/data?group_number=8&day=Friday").body, `{"group_number":8,"batch_number":2,`)
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "listings.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestFileIsHandedOutInSlices(t *testing.T) {
	var content bytes.Buffer
	opts := listinggen.Options{Seed: 4}
	require.NoError(t, listinggen.WriteCSV(t.Context(), &content, opts, 100, nil))
	base, _ := start(t, t.TempDir(), config.Source{CSV: write(t, content.String()), Batches: "60,0,30:rows=array,30,5"})
	generator := listinggen.New(opts)
	for i, rows := range []int{60, 0, 30, 10} { // of the last 30 only 10 are left
		got := fetch(t, base, "")
		require.Equal(t, i+1, got.batch.Number)
		require.Len(t, got.rows, rows)
		for _, row := range got.rows {
			require.Equal(t, fmt.Sprintf("%+v", generator.Next()), fmt.Sprintf("%+v", row))
		}
	}
	require.True(t, fetch(t, base, "").finished)
	restart(t, base)
	require.Len(t, fetch(t, base, "").rows, 60)
}

// TestFileIsReadAsTrainingReadsIt: a number that does not parse is missing.
func TestFileIsReadAsTrainingReadsIt(t *testing.T) {
	path := write(t, "\ufeffprice,bed,note,city,zip_code\n"+
		"105000.0,3,\"a \"\"b\"\"\",\"San\nJuan\",00601\n"+
		"nan,three,x, ,\n"+
		" 7 ,.5\n"+
		"0x10,1e3,x,Cañón,601\n"+
		"-0.50,007,,,\n")
	base, _ := start(t, t.TempDir(), config.Source{CSV: path})
	got := fetch(t, base, "")
	require.Equal(t, []string{"price", "bed", "city", "zip_code"}, got.batch.Columns)
	require.Empty(t, got.report.Invalid)
	null := property.Null()
	var want []string
	for _, l := range []property.Listing{
		{Price: 105000, Bed: 3, City: property.NewText("San\nJuan"), ZipCode: property.NewText("00601")},
		{Price: null, Bed: null, City: property.NewText(" ")},
		{Price: 7, Bed: .5},
		{Price: null, Bed: 1000, City: property.NewText("Cañón"), ZipCode: property.NewText("601")},
		{Price: -.5, Bed: 7},
	} {
		l.BrokeredBy, l.Bath, l.AcreLot, l.Street, l.HouseSize = null, null, null, null, null
		want = append(want, fmt.Sprintf("%+v", l))
	}
	for i, row := range got.rows {
		require.Equal(t, want[i], fmt.Sprintf("%+v", row), "row %d", i)
	}
	require.Len(t, got.rows, 5)
	require.True(t, fetch(t, base, "").finished, "without a plan it is one batch")
}

func TestChangedFileIsNotMixedWithTheOld(t *testing.T) {
	path := write(t, "price\n1\n2\n")
	folder := t.TempDir()
	base, stop := start(t, folder, config.Source{CSV: path, Batches: "1,rest"})
	require.Len(t, fetch(t, base, "a").rows, 1)
	require.NoError(t, os.WriteFile(path, []byte("price\n5\n6\n7\n"), 0o600))
	_, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), listingapi.Request{GroupNumber: 7, Day: "Tuesday"}, io.Discard)
	require.ErrorContains(t, err, "the file of listings was changed; start the source again")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	stop()
	base, _ = start(t, folder, config.Source{CSV: path, Batches: "1,rest"})
	require.Equal(t, 5.0, fetch(t, base, "a").rows[0].Price)
}

func TestABatchThatCannotBeHandedOutIsNotUsedUp(t *testing.T) {
	path := write(t, "price\n1\n2\n3\n")
	folder := t.TempDir()
	base, stop := start(t, folder, config.Source{CSV: path, Batches: "1,1,rest"})
	require.Len(t, fetch(t, base, "a").rows, 1)
	aside := path + ".aside"
	require.NoError(t, os.Rename(path, aside))
	_, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), listingapi.Request{GroupNumber: 7, Day: "Tuesday", IdempotencyKey: "b"}, io.Discard)
	require.ErrorContains(t, err, "the file of listings cannot be opened any more")
	require.NoError(t, os.Rename(aside, path))
	require.Equal(t, 2.0, fetch(t, base, "c").rows[0].Price)
	stop()
	base, _ = start(t, folder, config.Source{CSV: path, Batches: "1,1,rest"})
	require.Equal(t, 3.0, fetch(t, base, "d").rows[0].Price)
}

func TestWhatCannotBeHandedOutIsSaidAtTheStart(t *testing.T) {
	folder := t.TempDir()
	for says, settings := range map[string]config.Source{
		`--source.batches: batch 2, "many", does not begin with a number of rows`:               {Batches: "5,many"},
		"batch 1 has the option gaps, which is for generated listings":                          {Batches: "5:gaps", CSV: write(t, "price\n1\n")},
		"--source.csv=" + folder + "/none.csv cannot be opened: no such file or directory":      {CSV: folder + "/none.csv"},
		"--source.csv=" + folder + " cannot be read: is a directory":                            {CSV: folder},
		"is empty; its first line must name the columns":                                        {CSV: write(t, "")},
		"has none of the columns of a listing in its first line; those are brokered_by, status": {CSV: write(t, "a,b\n1,2\n")},
		`names the column "bed" twice`:                                                          {CSV: write(t, "bed,bed\n1,2\n")},
		"line 3 has 3 fields, but the header has 2":                                             {CSV: write(t, "bed,bath\n1,2\n1,2,3\n")},
		`parse error on line 2, column 2: bare " in non-quoted-field`:                           {CSV: write(t, "bed,city\n1\",x\n")},
	} {
		require.ErrorContains(t, refused(t, settings), says)
	}
}

func TestUnusableState(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "source.json"), []byte(`{"finge`), 0o600))
	require.ErrorContains(t, refusedIn(t, folder, config.Source{Batches: "5"}), "source.json, is not readable; delete it to start with the first batch")

	notFolder := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(notFolder, nil, 0o600))
	require.ErrorContains(t, refusedIn(t, notFolder, config.Source{Batches: "5"}), "not a directory")
}

func TestEveryRoleHasTheseAddresses(t *testing.T) {
	base, _ := start(t, t.TempDir(), config.Source{Batches: "5"})
	fetch(t, base, "")
	for _, path := range []string{"/healthz", "/readyz", "/buildinfo", "/metrics"} {
		require.Equal(t, 200, get(t, base+path).status, path)
	}
	require.Contains(t, get(t, base+"/metrics").body, `tasador_source_answers_total{kind="batch"} 1`)
	require.Contains(t, get(t, base+"/metrics").body, `tasador_source_rows_total 5`)
}
