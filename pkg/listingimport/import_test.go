package listingimport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/apperror"
	"tasador/pkg/listingimport"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// fixture is a database of listings and a folder for files.
type fixture struct {
	folder string
	store  *datasetstore.Imports
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	folder := t.TempDir()
	store, err := datasetstore.OpenImports(t.Context(), "sqlite:"+filepath.Join(folder, "raw.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &fixture{folder, store}
}

func (f *fixture) path(name string) string { return filepath.Join(f.folder, name) }

func (f *fixture) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(f.path(name), content, 0o600))
	return f.path(name)
}

func (f *fixture) run(t *testing.T, path string, again bool) (listingimport.Result, error) {
	t.Helper()
	format := listingimport.CSV
	if strings.HasSuffix(path, ".parquet") {
		format = listingimport.Parquet
	}
	return listingimport.Run(t.Context(), f.store, listingimport.Options{Path: path, Format: format, Again: again})
}

// look reads the database as a person with another tool would.
func (f *fixture) look(t *testing.T, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", f.path("raw.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var text string
	require.NoError(t, db.QueryRow(query).Scan(&text), query)
	return text
}

// numbered makes a CSV file of n rows; the price of row i is i+1, and street tells rows apart too.
func numbered(n int) []byte {
	var b bytes.Buffer
	b.WriteString("price,status,street,zip_code\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,s%d,%d,00601\n", i+1, i%3, n-i)
	}
	return b.Bytes()
}

// inOrder checks that realtor_raw holds the rows of numbered(n), and nothing else, in their order.
func (f *fixture) inOrder(t *testing.T, n int) {
	t.Helper()
	require.Equal(t, fmt.Sprint(n), f.look(t, "SELECT count(*) FROM realtor_raw"))
	require.Equal(t, "0", f.look(t, fmt.Sprintf(
		"SELECT count(*) FROM (SELECT price, street, status, row_number() OVER (ORDER BY id) AS n FROM realtor_raw) WHERE price <> n OR street <> %d - n OR status <> 's' || ((n - 1) %% 3)", n+1)))
}

func zip(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestACSVFileIsImportedWithItsGapsAndSlips(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", []byte("status,price,bed,zip_code,unknown,prev_sold_date\n"+
		"for_sale,100000.5,3,00601,x,2021-12-01\n"+
		"sold,abc,,601.0\n"+ // short, and a price that is none
		"\"to, build\",200,many,,,\n"))
	r, err := f.run(t, path, false)
	require.NoError(t, err)
	require.Equal(t, 3, r.Batch.Rows)
	require.True(t, r.Finished)
	require.Equal(t, map[string]int{"price": 1, "bed": 1}, r.Batch.Invalid)
	require.Equal(t, map[string]int{"brokered_by": 3, "bed": 1, "bath": 3, "acre_lot": 3, "street": 3, "city": 3, "state": 3, "zip_code": 1, "house_size": 3, "prev_sold_date": 2}, r.Nulls)
	require.Equal(t, "for_sale|100000.5|3.0|00601|2021-12-01 sold||| 601.0| to, build|200.0|||",
		f.look(t, "SELECT group_concat(coalesce(status, '') || '|' || coalesce(price, '') || '|' || coalesce(bed, '') || '|' ||"+
			" CASE WHEN zip_code = '601.0' THEN ' 601.0' ELSE coalesce(zip_code, '') END || '|' || coalesce(prev_sold_date, ''), ' ') FROM (SELECT * FROM realtor_raw ORDER BY id)"))
	require.Regexp(t, `^import__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$`, r.Batch.DAGRunID)
	require.Equal(t, r.Batch.DAGRunID+" 3", f.look(t, "SELECT min(dag_run_id) || ' ' || count(*) FROM realtor_raw GROUP BY dag_run_id"))
	require.Equal(t, `3 ["status","price","bed","zip_code","prev_sold_date"] {"bed":1,"price":1}`,
		f.look(t, "SELECT row_count || ' ' || columns || ' ' || invalid FROM raw_batches"))
}

func TestAFinishedImportIsNotDoneAgainUnlessAskedFor(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", numbered(50_001))
	first, err := f.run(t, path, false)
	require.NoError(t, err)
	f.inOrder(t, 50_001)

	t.Chdir(f.folder)
	second, err := f.run(t, "./a.csv", false)
	require.NoError(t, err)
	require.True(t, second.Already, "the path is the same however it is written")
	require.Equal(t, first.Batch.DAGRunID, second.Batch.DAGRunID)
	f.inOrder(t, 50_001)

	third, err := f.run(t, path, true)
	require.NoError(t, err)
	require.NotEqual(t, first.Batch.DAGRunID, third.Batch.DAGRunID)
	require.Equal(t, "100002 2", f.look(t, "SELECT count(*) || ' ' || count(DISTINCT dag_run_id) FROM realtor_raw"))

	f.write(t, "a.csv", numbered(50_002))
	_, err = f.run(t, path, false)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "(50001 rows) and has changed since; with --again")
	require.Equal(t, "100002", f.look(t, "SELECT count(*) FROM realtor_raw"))
}

// cutOff runs an import that ends after its first chunk.
func (f *fixture) cutOff(t *testing.T, path string, format listingimport.Format, endpoint string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := listingimport.Run(ctx, f.store, listingimport.Options{Path: path, Format: format, Endpoint: endpoint, Progress: func(int, int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "20000", f.look(t, "SELECT count(*) FROM realtor_raw"))
}

func TestAnImportThatWasCutOffGoesOn(t *testing.T) {
	for name, content := range map[string][]byte{"a.csv": numbered(50_001), "a.csv.gz": zip(t, numbered(50_001))} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := f.write(t, name, content)
			f.cutOff(t, path, listingimport.CSV, "")
			r, err := f.run(t, path, false)
			require.NoError(t, err)
			require.Equal(t, [2]int{20_000, 50_001}, [2]int{r.Before, r.Batch.Rows})
			require.Equal(t, 50_001, r.Nulls["bed"], "what is counted is kept too")
			f.inOrder(t, 50_001)
		})
	}
}

func TestAFileThatChangedCannotGoOn(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", numbered(50_001))
	f.cutOff(t, path, listingimport.CSV, "")
	f.write(t, "a.csv", numbered(30_000))
	_, err := f.run(t, path, false)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, path+" has changed since its import was cut off")
	require.ErrorContains(t, err, "after 20000 rows, so it cannot go on; put the earlier file back, or say --again")
	require.Equal(t, "20000", f.look(t, "SELECT count(*) FROM realtor_raw"))

	_, err = f.run(t, path, true)
	require.NoError(t, err)
	f.inOrder(t, 30_000)
	require.Equal(t, "1", f.look(t, "SELECT count(*) FROM raw_batches"))
}

func TestAFileThatChangesMeanwhileIsNotFinished(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", numbered(30_000))
	_, err := listingimport.Run(t.Context(), f.store, listingimport.Options{Path: path, Format: listingimport.CSV, Progress: func(int, int64, int64) {
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
	}})
	require.ErrorContains(t, err, path+" changed while it was imported")
	require.Equal(t, "0", f.look(t, "SELECT finished FROM raw_imports"))
}

func TestTablesThatAreEmptiedMeanwhileEndTheImport(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", numbered(50_001))
	data, err := datasetstore.Open(t.Context(), datasetstore.Options{
		RawURL: "sqlite:" + f.path("raw.db"), CleanURL: "sqlite:" + f.path("clean.db"), SpillDir: f.path("spill"),
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, data.Close()) })
	_, err = listingimport.Run(t.Context(), f.store, listingimport.Options{Path: path, Format: listingimport.CSV, Progress: func(rows int, _, _ int64) {
		if rows == 20_000 {
			require.NoError(t, data.Reset(t.Context(), datasetstore.Claim{DAGRunID: "manual__1", TaskID: "reset_data", Fence: 1}))
		}
	}})
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "the tables of listings were emptied while")
	require.Equal(t, "0", f.look(t, "SELECT count(*) FROM realtor_raw"))
	_, err = f.run(t, path, false)
	require.NoError(t, err)
	f.inOrder(t, 50_001)
}

// Two processes that import the same file at once store its rows once; one of them, or both after the other, say so.
func TestTheSameFileAtTheSameTime(t *testing.T) {
	f := newFixture(t)
	path := f.write(t, "a.csv", numbered(50_001))
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = f.run(t, path, false) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "another process imports "+path)
		}
	}
	_, err := f.run(t, path, false)
	require.NoError(t, err)
	f.inOrder(t, 50_001)
}

func TestWhatCannotBeImportedIsSaid(t *testing.T) {
	f := newFixture(t)
	gz := zip(t, numbered(30_000))
	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"long.csv":      {[]byte("price,bed\n1,2\n3,4,5\n"), "line 3 has more than the 2 fields that the header names"},
		"other.csv":     {[]byte("a,b\n1,2\n"), "has none of the columns of a listing, which are brokered_by, status"},
		"empty.csv":     {nil, "the file is empty: its first line must name the columns"},
		"cut.csv.gz":    {gz[:len(gz)/2], "the gzip file is damaged or cut off"},
		"wrong.csv.gz":  {append(bytes.Clone(gz[:len(gz)-8]), 1, 2, 3, 4, 5, 6, 7, 8), "the gzip file is damaged or cut off"},
		"magic.csv.gz":  {[]byte{0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "begins like a gzip file and is none"},
		"text.parquet":  {[]byte("price\n1\n"), "it is no Parquet file"},
		"latin.csv":     {[]byte("city\n\xd1u\xf1oa\n"), "line 2 holds bytes that are not UTF-8 text"},
		"empty.parquet": {nil, "it is no Parquet file"},
	} {
		path := f.write(t, name, c.content)
		_, err := f.run(t, path, false)
		require.ErrorContains(t, err, c.says, name)
		require.ErrorContains(t, err, path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), name)
	}
	_, err := f.run(t, f.path("nothing.csv"), false)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	_, err = f.run(t, f.folder, false)
	require.ErrorContains(t, err, "it is not a plain file")
	_, err = f.run(t, "https://example.org/a.csv", false)
	require.ErrorContains(t, err, "files are not read from https addresses; give a path, or s3://bucket/key")
}

// parquet makes numbered(n) a Parquet file as pandas does.
func parquet(t *testing.T, csv, to string) {
	t.Helper()
	script := "import sys, pandas; pandas.read_csv(sys.argv[1], dtype={'zip_code': str}).to_parquet(sys.argv[2], row_group_size=7000)"
	out, err := exec.Command(testkit.Venv(t, "python"), "-c", script, csv, to).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestObjectsOfS3AndParquetFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs what make test installs")
	}
	f := newFixture(t)
	server := s3test.Start(t)
	server.SetEnv(t)
	server.MakeBucket(t, "listings")
	csv := f.write(t, "a.csv", numbered(50_001))
	parquet(t, csv, f.path("a.parquet"))
	content, err := os.ReadFile(f.path("a.parquet"))
	require.NoError(t, err)
	server.Put(t, "listings", "a.csv.gz", zip(t, numbered(50_001)))
	server.Put(t, "listings", "2026/a.parquet", content)

	for path, format := range map[string]listingimport.Format{
		f.path("a.parquet"): listingimport.Parquet, "s3://listings/2026/a.parquet": listingimport.Parquet, "s3://listings/a.csv.gz": listingimport.CSV,
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f := newFixture(t)
			f.cutOff(t, path, format, server.Endpoint)
			r, err := listingimport.Run(t.Context(), f.store, listingimport.Options{Path: path, Format: format, Endpoint: server.Endpoint})
			require.NoError(t, err)
			require.Equal(t, [2]int{20_000, 50_001}, [2]int{r.Before, r.Batch.Rows})
			f.inOrder(t, 50_001)
			r, err = listingimport.Run(t.Context(), f.store, listingimport.Options{Path: path, Format: format, Endpoint: server.Endpoint})
			require.NoError(t, err)
			require.True(t, r.Already)
		})
	}

	f.cutOff(t, "s3://listings/a.csv.gz", listingimport.CSV, server.Endpoint)
	server.Put(t, "listings", "a.csv.gz", zip(t, numbered(50_002)))
	for address, says := range map[string]string{
		"s3://listings/a.csv.gz": "s3://listings/a.csv.gz has changed since its import was cut off", "s3://listings/none.csv": "there is no object s3://listings/none.csv",
		"s3://listings": "does not name an object of S3",
	} {
		_, err = listingimport.Run(t.Context(), f.store, listingimport.Options{Path: address, Format: listingimport.CSV, Endpoint: server.Endpoint})
		require.ErrorContains(t, err, says)
	}
}
