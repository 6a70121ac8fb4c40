package predictionstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// onEach runs a test on an empty database of each engine that predictions can be kept in.
func onEach(t *testing.T, test func(*testing.T, string)) {
	require.ElementsMatch(t, []string{"sqlite", "mysql", "postgres"}, migrations.Dialects("prediction"))
	testkit.OnEach(t, migrations.Dialects("prediction"), test)
}

func open(t *testing.T, url string) *predictionstore.Store {
	t.Helper()
	s, err := predictionstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return s
}

// connect opens the database beside the store.
func connect(t *testing.T, url string) *gorm.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sqlstore.Close(db)) })
	return db
}

func record(id string) predictionstore.Record {
	return predictionstore.Record{
		RequestID:    id,
		PredictedAt:  time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
		ModelName:    "RealtorPriceModel",
		ModelVersion: "3",
		ModelRunID:   "abc",
		AsOf:         time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Prediction:   245706.06,
		Listing: property.Listing{
			BrokeredBy: 74802, Status: property.NewText("for_sale"), Price: 394900, Bed: 3, Bath: 2, AcreLot: 1.17, Street: 0,
			City: property.NewText("Crossville"), State: property.NewText(""), ZipCode: property.NewText("00601"), HouseSize: 2056,
			PrevSoldDate: property.NewText("2021-12-01"),
		},
		Street: property.NewText("1589662"),
	}
}

func TestARecordIsReadBackAfterARestart(t *testing.T) { onEach(t, testARecordIsReadBackAfterARestart) }

func testARecordIsReadBackAfterARestart(t *testing.T, url string) {
	s := open(t, url)
	require.NoError(t, s.Record(t.Context(), record("one")))
	require.NoError(t, s.Close())

	s = open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	got, err := s.ByRequest(t.Context(), "one")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, property.IsNull(got[0].Listing.Street))
	got[0].Listing.Street = 0
	require.Equal(t, []predictionstore.Record{record("one")}, got)
}

func TestWhatWasLeftOutIsNull(t *testing.T) { onEach(t, testWhatWasLeftOutIsNull) }

func testWhatWasLeftOutIsNull(t *testing.T, url string) {
	s := open(t, url)
	r := record("one")
	r.Street = property.Text{}
	r.Listing = property.Listing{
		BrokeredBy: property.Null(), Price: property.Null(), Street: property.Null(),
		Status: property.NewText("sold"), Bed: 0, Bath: 1, AcreLot: 1, HouseSize: 1,
	}
	require.NoError(t, s.Record(t.Context(), r))
	require.NoError(t, s.Close())

	pool, err := sqlstore.Pool(connect(t, url))
	require.NoError(t, err)
	var given, bed int
	require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT count(brokered_by) + count(price) + count(street) + count(city) + count(state) +
		count(zip_code) + count(prev_sold_date), max(bed) FROM predictions`).Scan(&given, &bed))
	require.Zero(t, given, "they are NULL")
	require.Zero(t, bed, "a bed count of 0 is a number")
}

func TestConcurrentRecordsAreAllStored(t *testing.T) { onEach(t, testConcurrentRecordsAreAllStored) }

func testConcurrentRecordsAreAllStored(t *testing.T, url string) {
	s := open(t, url)
	var wg sync.WaitGroup
	errs := make([]error, 400)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Record(context.Background(), record(fmt.Sprint("r", i))) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	n, err := s.Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(errs), n)
	for i := range errs {
		got, err := s.ByRequest(t.Context(), fmt.Sprint("r", i))
		require.NoError(t, err)
		require.Len(t, got, 1)
	}
	require.NoError(t, s.Close())
	require.Error(t, s.Record(t.Context(), record("late")))
}

func TestADatabaseThatCannotBeWrittenSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "predictions.db")
	s := open(t, "sqlite:"+file)
	require.NoError(t, s.Ping(t.Context()))

	// Whoever holds the write lock of another connection keeps everybody else from writing.
	db, err := sqlstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	pool, err := sqlstore.Pool(db)
	require.NoError(t, err)
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = s.Ping(ctx)
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	err = s.Record(ctx, record("blocked"))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), "cannot be recorded")
	require.NoError(t, tx.Rollback())

	// Without its table nothing can be stored either.
	_, err = pool.ExecContext(t.Context(), "DROP TABLE predictions")
	require.NoError(t, err)
	err = s.Record(t.Context(), record("no table"))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	err = s.Ping(t.Context())
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "after a failure the probe writes")
	require.NoError(t, sqlstore.Close(db))
	require.NoError(t, s.Close())
}

func TestAFullDatabaseIsReadyAgainOnceThereIsRoom(t *testing.T) {
	onEach(t, testAFullDatabaseIsReadyAgainOnceThereIsRoom)
}

func testAFullDatabaseIsReadyAgainOnceThereIsRoom(t *testing.T, url string) {
	var log bytes.Buffer
	s, err := predictionstore.Open(t.Context(), url, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	db := connect(t, url)
	on := map[sqlstore.Engine][]string{
		sqlstore.SQLite: {"CREATE TRIGGER full_disk BEFORE INSERT ON predictions BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"},
		sqlstore.MySQL:  {"CREATE TRIGGER full_disk BEFORE INSERT ON predictions FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'full'"},
		sqlstore.Postgres: {
			"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$full$$; END'",
			"CREATE TRIGGER full_disk BEFORE INSERT ON predictions EXECUTE FUNCTION full_disk()",
		},
	}[sqlstore.EngineOf(db)]
	off := "DROP TRIGGER full_disk"
	if sqlstore.EngineOf(db) == sqlstore.Postgres {
		off += " ON predictions"
	}
	refuse := func(refused bool) {
		statements := []string{off}
		if refused {
			statements = on
		}
		for _, statement := range statements {
			require.NoError(t, db.Exec(statement).Error)
		}
	}

	refuse(true)
	for range 3 {
		require.Error(t, s.Record(t.Context(), record("full")))
	}
	require.Error(t, s.Ping(t.Context()))
	refuse(false)
	require.NoError(t, s.Ping(t.Context()))
	n, err := s.Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "the probe leaves nothing behind")
	require.NoError(t, s.Record(t.Context(), record("room")))
	require.NoError(t, s.Close())
	require.Equal(t, 1, strings.Count(log.String(), "cannot be recorded"), "the log tells of the change, not of each failure")
	require.Equal(t, 1, strings.Count(log.String(), "recorded again"))
}

func TestOpenNamesAWrongDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "predictions.db")
	require.NoError(t, os.WriteFile(file, []byte("this is no database, although it is long enough to be looked at as one"), 0o600))
	_, err := predictionstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), file)
}

func TestRecentGoesBackPageByPage(t *testing.T) { onEach(t, testRecentGoesBackPageByPage) }

func testRecentGoesBackPageByPage(t *testing.T, url string) {
	store := open(t, url)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	for i := range 5 {
		r := record(fmt.Sprint("r", i))
		r.ModelName, r.ModelVersion = "m", fmt.Sprint(i%2)
		require.NoError(t, store.Record(t.Context(), r))
	}
	ids := func(q predictionstore.Query) ([]string, int64) {
		found, next, err := store.Recent(t.Context(), q)
		require.NoError(t, err)
		var ids []string
		for _, r := range found {
			ids = append(ids, r.RequestID)
		}
		return ids, next
	}
	first, next := ids(predictionstore.Query{Limit: 3})
	require.Equal(t, []string{"r4", "r3", "r2"}, first)
	last, end := ids(predictionstore.Query{Limit: 3, Before: next})
	require.Equal(t, []string{"r1", "r0"}, last)
	require.Zero(t, end)
	of, end := ids(predictionstore.Query{ModelName: "m", ModelVersion: "0", Limit: 3})
	require.Equal(t, []string{"r4", "r2", "r0"}, of)
	require.Zero(t, end, "there is no more, though the page is full")
	one, _ := ids(predictionstore.Query{RequestID: "r3", Limit: 3})
	require.Equal(t, []string{"r3"}, one)
	for _, q := range []predictionstore.Query{{RequestID: "a\x00"}, {ModelName: "\xff"}, {ModelVersion: "\x00"}} {
		q.Limit = 3
		none, _ := ids(q)
		require.Empty(t, none, "there is nothing by a name that no database takes")
	}
}

// TestTextsComeBackByteForByte: texts that only a collation takes for equal are not, and what no database takes does not keep the rest from being stored.
func TestTextsComeBackByteForByte(t *testing.T) { onEach(t, testTextsComeBackByteForByte) }

func testTextsComeBackByteForByte(t *testing.T, url string) {
	s := open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	for _, id := range []string{"a", "A", "á", "a ", "ａ", "日本 🏠"} {
		r := record(id)
		r.Street, r.Listing.City = property.NewText(id+"  "), property.NewText(strings.Repeat("🏠", 1000))
		require.NoError(t, s.Record(t.Context(), r))
	}
	for _, id := range []string{"a", "A", "á", "a ", "ａ", "日本 🏠"} {
		got, err := s.ByRequest(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, got, 1, "%q", id)
		require.Equal(t, id+"  ", got[0].Street.Value)
		require.Equal(t, strings.Repeat("🏠", 1000), got[0].Listing.City.Value)
	}
	r := record("odd")
	r.Street, r.Listing.City = property.NewText("a\x00b"), property.NewText("a\xffb")
	require.NoError(t, s.Record(t.Context(), r))
	got, err := s.ByRequest(t.Context(), "odd")
	require.NoError(t, err)
	require.Equal(t, []string{"a\uFFFDb", "a\uFFFDb"}, []string{got[0].Street.Value, got[0].Listing.City.Value})
	got, err = s.ByRequest(t.Context(), "a\x00\xff")
	require.NoError(t, err)
	require.Empty(t, got)
}

// TestNumbersComeBackBitForBit writes doubles at the edges of what a listing may hold.
func TestNumbersComeBackBitForBit(t *testing.T) { onEach(t, testNumbersComeBackBitForBit) }

func testNumbersComeBackBitForBit(t *testing.T, url string) {
	s := open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	for i, v := range []float64{0.1, 1.0 / 3, 1e300, 5e-324, math.MaxFloat64, 9007199254740993, -245706.06} {
		r := record(fmt.Sprint(i))
		r.Prediction, r.Listing.AcreLot = v, v
		require.NoError(t, s.Record(t.Context(), r))
		got, err := s.ByRequest(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		require.Equal(t, []float64{v, v}, []float64{got[0].Prediction, got[0].Listing.AcreLot})
	}
}

// TestAServerThatIsAway stops a server, and starts it again.
func TestAServerThatIsAway(t *testing.T) {
	for engine, server := range map[string]*testkit.DatabaseServer{"postgres": testkit.StartPostgres(t), "mysql": testkit.StartMariaDB(t)} {
		t.Run(engine, func(t *testing.T) {
			s := open(t, server.NewDatabase(t))
			defer func() { require.NoError(t, s.Close()) }()
			require.NoError(t, s.Record(t.Context(), record("before")))
			server.Stop(t)
			err := s.Record(t.Context(), record("away"))
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
			require.Contains(t, apperror.MessageOf(err), "the prediction cannot be recorded, so it is not given: the database ")
			err = s.Ping(t.Context())
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
			require.Contains(t, apperror.MessageOf(err), "does not answer; check that it runs")
			server.Restart(t)
			require.NoError(t, s.Ping(t.Context()))
			require.NoError(t, s.Record(t.Context(), record("after")))
			n, err := s.Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		})
	}
}
