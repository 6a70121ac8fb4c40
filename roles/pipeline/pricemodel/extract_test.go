package pricemodel_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
)

const goodRow = `{"brokered_by": 1.0, "status": "sold", "price": 100000.0, "bed": 3.0, "bath": 2.0, "acre_lot": 0.5,
	"street": 7.0, "city": "Lima", "state": "Ohio", "zip_code": 601.0, "house_size": 1500.0, "prev_sold_date": "2020-01-02"}`

// answers serves the bodies in turn, the last one for good, and counts the questions.
func answers(t *testing.T, bodies ...string) (uri string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	return handmadeSource(t, func(w http.ResponseWriter, _ *http.Request) {
		n := int(asked.Add(1))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(bodies[min(n, len(bodies))-1])) // the client sees if it breaks
	}), asked
}

func (w *world) payloads(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.cfg.DataDir, "payloads"))
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// fails runs a DAG run whose task fails and returns the error.
func (w *world) fails(t *testing.T, id, task string) string {
	t.Helper()
	run := w.runner.trigger(t, id, "")
	require.Equal(t, dag.RunFailed, run.run.State)
	require.Error(t, run.errs[task])
	return run.errs[task].Error()
}

func TestRowsAreStoredAsTheyCame(t *testing.T) {
	type question struct{ path, group, day, key string }
	asked := make(chan question, 9)
	uri := handmadeSource(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- question{r.URL.Path, r.URL.Query().Get("group_number"), r.URL.Query().Get("day"), r.Header.Get("Idempotency-Key")}
		fmt.Fprintf(w, `{"group_number": 7, "batch_number": 3, "data": [%s, {"bed": "three", "bath": null, "extra": 1}]}`, goodRow)
	})
	w := newWorld(t, uri)
	run := w.succeeds(t, "scheduled__2026-01-01T00:00:00+00:00", "", noTrainPath)
	require.Equal(t, question{"/data", "7", "Tuesday", "scheduled__2026-01-01T00:00:00+00:00"}, <-asked)
	require.Equal(t, "2", run.xcoms.value("extract_data", "new_records"))
	require.Equal(t, []string{"scheduled__2026-01-01T00%3A00%3A00+00%3A00.json"}, w.payloads(t))

	var zip, dagRun, fetched string
	var bed float64
	var batch, nulls int
	w.look(t, "rawdata.db", "SELECT zip_code, bed, batch_number, dag_run_id, fetched_at FROM realtor_raw ORDER BY id LIMIT 1", &zip, &bed, &batch, &dagRun, &fetched)
	require.Equal(t, "00601", zip)
	require.Equal(t, 3.0, bed)
	require.Equal(t, 3, batch)
	require.Equal(t, "scheduled__2026-01-01T00:00:00+00:00", dagRun)
	at, err := time.Parse(time.RFC3339Nano, fetched)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	w.look(t, "rawdata.db", "SELECT (bed IS NULL) + (bath IS NULL) + (status IS NULL) FROM realtor_raw ORDER BY id DESC LIMIT 1", &nulls)
	require.Equal(t, 3, nulls)
	_, reason := w.decision(t, "scheduled__2026-01-01T00:00:00+00:00")
	require.Equal(t, "Nulos en: ['status', 'bath', 'acre_lot', 'house_size', 'prev_sold_date', 'price']"+
		" (status: 1, bath: 1, acre_lot: 1, house_size: 1, prev_sold_date: 1, price: 1) & Fuera de rango en: ['bed'] (bed: 1)", reason)
}

func TestOutOfRangeRowsDoNotTrain(t *testing.T) {
	bad := strings.Replace(goodRow, `"bath": 2.0`, `"bath": 11`, 1)
	uri, _ := answers(t, "["+strings.Repeat(goodRow+",", 150)+bad+"]")
	w := newWorld(t, uri)
	w.succeeds(t, "manual__1", "", noTrainPath)
	_, reason := w.decision(t, "manual__1")
	require.Equal(t, "Fuera de rango en: ['bath'] (bath: 1)", reason)
	// One of 151 rows is under one percent.
	uri, _ = answers(t, "["+strings.Repeat(goodRow+",", 150)+bad+"]")
	w.cfg.Source.URI = uri
	w.restart(t)
	w.succeeds(t, "manual__2", `{"gate": {"max_invalid_ratio": 0.01}}`, trainPath)
}

func TestAnUnreadableAnswerIsKeptAside(t *testing.T) {
	whole := "[" + strings.Repeat(goodRow+",", 149) + goodRow + "]"
	uri, asked := answers(t, whole[:len(whole)-40], whole)
	w := newWorld(t, uri)
	message := w.fails(t, "manual__1", "extract_data")
	require.Contains(t, message, "cannot be read and is kept as "+filepath.Join(w.cfg.DataDir, "payloads", "manual__1.unreadable"))
	require.Contains(t, message, "check that --source.uri is the data API")
	require.Equal(t, []string{"manual__1.unreadable"}, w.payloads(t))
	require.Zero(t, w.rows(t, "rawdata.db", "realtor_raw"), "not even the rows that could be read")
	w.succeeds(t, "manual__1", "", trainPath)
	require.EqualValues(t, 2, asked.Load())
	require.Equal(t, 150, w.rows(t, "rawdata.db", "realtor_raw"))
}

func TestAKeptPayloadIsReplayed(t *testing.T) {
	uri, asked := answers(t, "["+goodRow+"]")
	w := newWorld(t, uri)
	payload := filepath.Join(w.cfg.DataDir, "payloads", "manual__1.json")
	// What a process leaves that is killed after the answer and before the rows are stored.
	require.NoError(t, os.WriteFile(payload, []byte("["+goodRow+","+goodRow+"]"), 0o600))
	w.succeeds(t, "manual__1", "", noTrainPath)
	require.Zero(t, asked.Load())
	require.Equal(t, 2, w.rows(t, "rawdata.db", "realtor_raw"))
}

func TestTheLastPayloadsAreKept(t *testing.T) {
	uri, _ := answers(t, `{"data": null}`)
	w := newWorld(t, uri)
	for i := range 12 {
		w.succeeds(t, fmt.Sprintf("manual__%02d", i), "", noTrainPath)
	}
	names := w.payloads(t)
	require.Len(t, names, 10)
	require.Equal(t, "manual__02.json", names[0])
}

func TestExhaustionIsNotAnError(t *testing.T) {
	restarts := new(atomic.Int32)
	uri := handmadeSource(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/restart_data_generation" {
			restarts.Add(1)
			_, _ = w.Write([]byte(`{"ok": true}`)) // the client sees if it breaks
			return
		}
		http.Error(w, `Ya se recolecto toda la informacion minima necesaria`, http.StatusBadRequest)
	})
	w := newWorld(t, uri)
	run := w.succeeds(t, "manual__1", "", resetPath)
	require.Equal(t, "0", run.xcoms.value("extract_data", "new_records"))
	require.EqualValues(t, 1, restarts.Load())
}

func TestSourceFailuresAreSentences(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"a web page", "<html><body>hello</body></html>", "web page"},
		{"another refusal", "", "no such group"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			uri := handmadeSource(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.body == "" {
					http.Error(w, `{"detail": "no such group"}`, http.StatusBadRequest)
					return
				}
				_, _ = w.Write([]byte(c.body)) // the client sees if it breaks
			})
			w := newWorld(t, uri)
			require.Contains(t, w.fails(t, "manual__1", "extract_data"), c.want)
			require.Empty(t, w.payloads(t))
		})
	}
	t.Run("none configured", func(t *testing.T) {
		w := newWorld(t, "")
		message := w.fails(t, "manual__1", "extract_data")
		require.Contains(t, message, "no data API is configured; set --source.uri")
	})
}
