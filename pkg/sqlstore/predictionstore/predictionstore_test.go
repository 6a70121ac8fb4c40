package predictionstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/predictionstore"
)

func open(t *testing.T, file string) *predictionstore.Store {
	t.Helper()
	s, err := predictionstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return s
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

func TestARecordIsReadBackAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "predictions.db")
	s := open(t, file)
	require.NoError(t, s.Record(t.Context(), record("one")))
	require.NoError(t, s.Close())

	s = open(t, file)
	defer func() { require.NoError(t, s.Close()) }()
	got, err := s.ByRequest(t.Context(), "one")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, property.IsNull(got[0].Listing.Street))
	got[0].Listing.Street = 0
	require.Equal(t, []predictionstore.Record{record("one")}, got)
}

func TestWhatWasLeftOutIsNull(t *testing.T) {
	file := filepath.Join(t.TempDir(), "predictions.db")
	s := open(t, file)
	r := record("one")
	r.Street = property.Text{}
	r.Listing = property.Listing{
		BrokeredBy: property.Null(), Price: property.Null(), Street: property.Null(),
		Status: property.NewText("sold"), Bed: 0, Bath: 1, AcreLot: 1, HouseSize: 1,
	}
	require.NoError(t, s.Record(t.Context(), r))
	require.NoError(t, s.Close())

	db, err := sqlstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	pool, err := sqlstore.Pool(db)
	require.NoError(t, err)
	var missing, bed int
	require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT (brokered_by IS NULL) + (price IS NULL) + (street IS NULL) +
		(city IS NULL) + (state IS NULL) + (zip_code IS NULL) + (prev_sold_date IS NULL), bed FROM predictions`).Scan(&missing, &bed))
	require.Equal(t, 7, missing)
	require.Zero(t, bed, "a bed count of 0 is a number")
}

func TestConcurrentRecordsAreAllStored(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "predictions.db"))
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
	s := open(t, file)
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
	file := filepath.Join(t.TempDir(), "predictions.db")
	var log bytes.Buffer
	s, err := predictionstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	db, err := sqlstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	pool, err := sqlstore.Pool(db)
	require.NoError(t, err)
	refuse := func(on bool) {
		statement := "DROP TRIGGER full"
		if on {
			statement = "CREATE TRIGGER full BEFORE INSERT ON predictions BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
		}
		_, err := pool.ExecContext(t.Context(), statement)
		require.NoError(t, err)
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
	require.NoError(t, sqlstore.Close(db))
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

func TestRecentGoesBackPageByPage(t *testing.T) {
	store := open(t, filepath.Join(t.TempDir(), "predictions.db"))
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
}
