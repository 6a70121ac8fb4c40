package serving

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/journal"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

const goodListing = `{"status":"sold","bed":3,"bath":2,"acre_lot":1,"house_size":2000}`

// TestServingStartsWhileTheDatabaseIsAway starts in an outage of PostgreSQL: requests are answered, everybody who asks for what is recorded is told why there is
// nothing, and all is in the table once it is over.
func TestServingStartsWhileTheDatabaseIsAway(t *testing.T) {
	server := testkit.StartPostgres(t)
	url := server.NewDatabase(t)
	server.Stop(t)
	s := startServerWith(t, modeltest.Train(t, 5), func(cfg *config.Config) { cfg.Predictions.URL = url })
	const away = "does not answer; check that it runs and can be reached from here"

	const asked = 20
	for i := range asked {
		got := s.post(t, "/predict", "application/json", goodListing, "X-Request-Id", fmt.Sprint("early-", i))
		require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	}
	told := s.post(t, "/feedback", "application/json", `{"request_id":"early-0","sale_price":1}`)
	require.Equal(t, http.StatusAccepted, told.StatusCode, told.body)
	require.Equal(t, "pending", parsed[FeedbackAnswer](t, told.body).Prediction)
	require.Contains(t, parsed[FeedbackAnswer](t, told.body).Detail, away)
	page := s.send(t, http.MethodGet, "/predictions", nil, "Accept", "text/html")
	require.Equal(t, http.StatusServiceUnavailable, page.StatusCode)
	require.Contains(t, page.body, away)
	page = s.send(t, http.MethodGet, "/", nil, "Accept", "text/html")
	require.Equal(t, http.StatusOK, page.StatusCode)
	ready := s.send(t, http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusOK, ready.StatusCode, ready.body)
	require.Contains(t, ready.body, fmt.Sprint(asked+1, " requests wait in the journal, the oldest since "))
	require.Contains(t, ready.body, away)

	server.Restart(t)
	require.Eventually(t, func() bool { return s.role.journal.Backlog().Entries == 0 }, 30*time.Second, 5*time.Millisecond)
	told = s.post(t, "/feedback", "application/json", `{"request_id":"early-1","sale_price":1}`)
	require.Equal(t, http.StatusOK, told.StatusCode, told.body)
	ready = s.send(t, http.MethodGet, "/readyz", nil)
	require.NotContains(t, ready.body, "notes")
	store, err := predictionstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	n, err := store.Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, asked, n)
	for i := range asked {
		records, err := store.ByRequest(t.Context(), fmt.Sprint("early-", i))
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, i < 2, records[0].Sale != nil, "the price that was told in the outage is there, too")
	}
}

// TestAPriceThatIsToldByALateClockCounts tells a price of a prediction that was made by a server whose clock is ahead, which is the same as one that was set back
// since.
func TestAPriceThatIsToldByALateClockCounts(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	entry := predictionstore.AppendRequest(nil, predictionstore.Request{ID: "ahead", PredictedAt: ahead, ModelName: "RealtorPriceModel", ModelVersion: "7", ModelRunID: "r"}, 1)
	listing := model.Example()
	entry = predictionstore.AppendItem(entry, ahead, 1000, &listing, property.Text{})
	refused, err := s.role.store.Store(t.Context(), []journal.Entry{{Segment: strings.Repeat("0", 32), Sequence: 1, At: ahead, Payload: entry}})
	require.NoError(t, err)
	require.Empty(t, refused)
	told := s.post(t, "/feedback", "application/json", `{"request_id":"ahead","sale_price":1234}`)
	require.Equal(t, http.StatusOK, told.StatusCode, told.body)
	require.NoError(t, s.role.journal.AwaitShipped(t.Context()))
	records, err := s.role.store.ByRequest(t.Context(), "ahead")
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.NotNil(t, records[0].Sale)
	require.Equal(t, 1234.0, records[0].Sale.Price)
}

// TestTheAgeOfTheBacklogIsNeverNegative keeps an entry that was written before the clock was set back.
func TestTheAgeOfTheBacklogIsNeverNegative(t *testing.T) {
	s := startServerWith(t, modeltest.Train(t, 5), func(cfg *config.Config) {
		cfg.Predictions.URL = "postgres://nobody@" + testkit.FreeAddress(t) + "/none"
	})
	require.NoError(t, s.role.journal.Append(time.Now().Add(time.Hour), []byte("ahead")))
	require.Contains(t, s.send(t, http.MethodGet, "/metrics", nil).body, "tasador_journal_backlog_age_seconds 0\n")
}

// TestWhatTheDatabaseDoesNotTakeIsToldAndTriedAgain has an entry in the journal that only another version knows, and starts the server three times.
func TestWhatTheDatabaseDoesNotTakeIsToldAndTriedAgain(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, filepath.FromSlash(journalFolder)), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, j.Append(time.Now(), []byte("\xffof a newer version")))
	require.NoError(t, j.Close())
	for range 3 {
		t.Run("start", func(t *testing.T) {
			s := startServerWith(t, modeltest.Train(t, 5), func(cfg *config.Config) {
				require.NoError(t, os.RemoveAll(filepath.Join(dir, "serving", "model")))
				cfg.DataDir = dir
			})
			require.Eventually(t, func() bool {
				a := s.send(t, http.MethodGet, "/readyz", nil)
				return a.StatusCode == http.StatusOK && strings.Contains(a.body, "1 requests were not taken by the predictions database") && strings.Contains(a.body, "/*.refused")
			}, 30*time.Second, 10*time.Millisecond)
			require.Contains(t, s.send(t, http.MethodGet, "/metrics", nil).body, "tasador_journal_refused_total 1")
		})
	}
}
