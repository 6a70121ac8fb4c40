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
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/journal"
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

// sequence numbers the entries of this process; keep stores records as a journal brings them, each in an entry of its own.
var sequence atomic.Int64

func entryOf(r predictionstore.Record) journal.Entry {
	head := predictionstore.Request{
		ID: r.RequestID, PredictedAt: r.PredictedAt, ModelName: r.ModelName, ModelVersion: r.ModelVersion, ModelRunID: r.ModelRunID, First: r.Item,
	}
	payload := predictionstore.AppendItem(predictionstore.AppendRequest(nil, head, 1), r.AsOf, r.Prediction, &r.Listing, r.Street)
	return journal.Entry{Segment: strings.Repeat("a", 32), Sequence: sequence.Add(1), Payload: payload}
}

func keep(ctx context.Context, s *predictionstore.Store, records ...predictionstore.Record) error {
	var entries []journal.Entry
	for _, r := range records {
		entries = append(entries, entryOf(r))
	}
	refused, err := s.Store(ctx, entries)
	if len(refused) > 0 {
		return fmt.Errorf("refused: %v", refused)
	}
	return err
}

// plain is a record without its key.
func plain(r predictionstore.Record) predictionstore.Record {
	r.ID = 0
	return r
}

func TestARecordIsReadBackAfterARestart(t *testing.T) { onEach(t, testARecordIsReadBackAfterARestart) }

func testARecordIsReadBackAfterARestart(t *testing.T, url string) {
	s := open(t, url)
	require.NoError(t, keep(t.Context(), s, record("one")))
	require.NoError(t, s.Close())

	s = open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	got, err := s.ByRequest(t.Context(), "one")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, property.IsNull(got[0].Listing.Street))
	got[0].Listing.Street = 0
	require.Equal(t, record("one"), plain(got[0]))
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
	require.NoError(t, keep(t.Context(), s, r))
	require.NoError(t, s.Close())

	pool, err := sqlstore.Pool(connect(t, url))
	require.NoError(t, err)
	var given, bed int
	require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT count(brokered_by) + count(price) + count(street) + count(city) + count(state) +
		count(zip_code) + count(prev_sold_date), max(bed) FROM predictions`).Scan(&given, &bed))
	require.Zero(t, given, "they are NULL")
	require.Zero(t, bed, "a bed count of 0 is a number")
}

// TestAnEntryThatComesAgainChangesNothing brings batches twice, and halves of them, as a kill between commit and checkpoint does.
func TestAnEntryThatComesAgainChangesNothing(t *testing.T) {
	onEach(t, testAnEntryThatComesAgainChangesNothing)
}

func testAnEntryThatComesAgainChangesNothing(t *testing.T, url string) {
	s := open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	var entries []journal.Entry
	for i := range 450 { // more than one statement takes
		entries = append(entries, entryOf(record(fmt.Sprint("r", i))))
	}
	told := predictionstore.Feedback{RequestID: "r7", SalePrice: 5, ReceivedAt: record("").PredictedAt}
	entries = append(entries, journal.Entry{Segment: "b", Sequence: 1, Payload: predictionstore.AppendFeedback(nil, told)})
	for _, part := range [][]journal.Entry{entries[:300], entries, entries[200:], entries} {
		refused, err := s.Store(t.Context(), part)
		require.NoError(t, err)
		require.Empty(t, refused)
	}
	n, err := s.Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 450, n)
	var feedback int64
	require.NoError(t, connect(t, url).Table("prediction_feedback").Count(&feedback).Error)
	require.EqualValues(t, 1, feedback)
	for _, id := range []string{"r0", "r299", "r449"} {
		got, err := s.ByRequest(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, got, 1)
	}
	// The same request again is another prediction.
	require.NoError(t, keep(t.Context(), s, record("r0")))
	got, err := s.ByRequest(t.Context(), "r0")
	require.NoError(t, err)
	require.Len(t, got, 2)
}

// TestTheItemsOfAListAreRowsOfOneRequest also brings entries that no version wrote among others.
func TestTheItemsOfAListAreRowsOfOneRequest(t *testing.T) { onEach(t, testTheItemsOfAList) }

func testTheItemsOfAList(t *testing.T, url string) {
	s := open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	r := record("list")
	payload := predictionstore.AppendRequest(nil, predictionstore.Request{ID: r.RequestID, PredictedAt: r.PredictedAt, ModelName: "m", ModelVersion: "1", ModelRunID: "run", First: 1000}, 3)
	for i := range 3 {
		payload = predictionstore.AppendItem(payload, r.AsOf, float64(i), &r.Listing, r.Street)
	}
	refused, err := s.Store(t.Context(), []journal.Entry{
		{Segment: "s", Sequence: 1, Payload: []byte{99}}, {Segment: "s", Sequence: 2, Payload: payload}, {Segment: "s", Sequence: 3, Payload: payload[:len(payload)-1]},
		{Segment: "s", Sequence: 4, Payload: append(bytes.Clone(payload), 0)}, {Segment: "s", Sequence: 5},
	})
	require.NoError(t, err)
	require.Equal(t, []int{0, 2, 3, 4}, refused)
	got, err := s.ByRequest(t.Context(), "list")
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i, r := range got {
		require.Equal(t, 1000+i, r.Item)
		require.InDelta(t, float64(i), r.Prediction, 0)
	}
}

// TestASaleBelongsToThePredictionThatItWasToldOf holds the rules: the newest prediction of the request and item that is not younger, and the last told counts,
// whatever comes first.
func TestASaleBelongsToThePredictionThatItWasToldOf(t *testing.T) { onEach(t, testASale) }

func testASale(t *testing.T, url string) {
	s := open(t, url)
	defer func() { require.NoError(t, s.Close()) }()
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	prediction := func(id string, item, minute int) journal.Entry {
		r := record(id)
		r.Item, r.PredictedAt = item, at(minute)
		return entryOf(r)
	}
	sale := func(id string, item, minute int, price float64, soldAt string) journal.Entry {
		f := predictionstore.Feedback{RequestID: id, Item: item, SalePrice: price, ReceivedAt: at(minute)}
		if soldAt != "" {
			f.SoldAt = property.NewText(soldAt)
		}
		return journal.Entry{Segment: "sales", Sequence: sequence.Add(1), Payload: predictionstore.AppendFeedback(nil, f)}
	}
	for _, batch := range [][]journal.Entry{
		{sale("early", 0, 9, 90, "2026-01-05")}, // its prediction comes by another journal, later
		{prediction("once", 0, 1), prediction("once", 1, 1), prediction("twice", 0, 1), prediction("twice", 0, 5), prediction("ONCE", 0, 1)},
		{sale("once", 1, 3, 20, ""), sale("twice", 0, 3, 30, ""), sale("twice", 0, 8, 80, ""), sale("once", 1, 2, 10, "2026-01-02"), sale("nobody", 0, 2, 1, "")},
		{prediction("early", 0, 2)},
	} {
		_, err := s.Store(t.Context(), batch)
		require.NoError(t, err)
	}
	sales := func(id string) (got []string) {
		records, err := s.ByRequest(t.Context(), id)
		require.NoError(t, err)
		for _, r := range records {
			if got = append(got, "none"); r.Sale != nil {
				got[len(got)-1] = fmt.Sprint(r.Sale.Price, " ", r.Sale.SoldAt.Value, " ", r.Sale.ToldAt.Minute())
			}
		}
		return got
	}
	require.Equal(t, []string{"none", "20  3"}, sales("once"))
	require.Equal(t, []string{"30  3", "80  8"}, sales("twice"))
	require.Equal(t, []string{"90 2026-01-05 9"}, sales("early"))
	require.Equal(t, []string{"none"}, sales("ONCE"))
	for id, want := range map[string]bool{"once": true, "nobody": false, "Once": false, "once\x20": false, "a\x00": false} {
		newest, err := s.Newest(t.Context(), id, 0)
		require.NoError(t, err)
		require.Equal(t, want, newest != nil, id)
	}
	newest, err := s.Newest(t.Context(), "once", 2)
	require.NoError(t, err)
	require.Nil(t, newest)
	newest, err = s.Newest(t.Context(), "twice", 0)
	require.NoError(t, err)
	require.InDelta(t, 80, newest.Sale.Price, 0)
}

// TestRowsOfTheFirstVersionAreKept migrates a table that has some.
func TestRowsOfTheFirstVersionAreKept(t *testing.T) { onEach(t, testRowsOfTheFirstVersion) }

func testRowsOfTheFirstVersion(t *testing.T, url string) {
	db := connect(t, url)
	require.NoError(t, sqlstore.MigrateUp(t.Context(), db, "prediction", 1))
	for range 2 {
		require.NoError(t, db.Exec(`INSERT INTO predictions (request_id, predicted_at, model_name, model_version, model_run_id, as_of, prediction, status)
			VALUES ('old', '2026-01-02T03:04:05.678901Z', 'm', '1', 'run', '2026-01-01T00:00:00.000000Z', 5, 'sold')`).Error)
	}
	s := open(t, url)
	require.NoError(t, keep(t.Context(), s, record("new")))
	old, err := s.ByRequest(t.Context(), "old")
	require.NoError(t, err)
	require.Len(t, old, 2)
	require.Zero(t, old[0].Item)
	require.NoError(t, s.Close())
	require.NoError(t, sqlstore.MigrateDown(t.Context(), db, "prediction", 1))
	var n int64
	require.NoError(t, db.Table("predictions").Count(&n).Error)
	require.EqualValues(t, 3, n)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, "prediction"))
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
	require.Error(t, keep(ctx, s, record("blocked")))
	require.NoError(t, tx.Rollback())

	// Without its table nothing can be stored either.
	_, err = pool.ExecContext(t.Context(), "DROP TABLE predictions")
	require.NoError(t, err)
	require.Error(t, keep(t.Context(), s, record("no table")))
	err = s.Ping(t.Context())
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.NoError(t, sqlstore.Close(db))
	require.NoError(t, s.Close())
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
		require.NoError(t, keep(t.Context(), store, r))
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
		require.NoError(t, keep(t.Context(), s, r))
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
	require.NoError(t, keep(t.Context(), s, r))
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
		require.NoError(t, keep(t.Context(), s, r))
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
			require.NoError(t, keep(t.Context(), s, record("before")))
			server.Stop(t)
			err := keep(t.Context(), s, record("away"))
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
			require.Contains(t, apperror.MessageOf(err), "the database ")
			err = s.Ping(t.Context())
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
			require.Contains(t, apperror.MessageOf(err), "does not answer; check that it runs")
			server.Restart(t)
			require.NoError(t, s.Ping(t.Context()))
			require.NoError(t, keep(t.Context(), s, record("after")))
			n, err := s.Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		})
	}
}
