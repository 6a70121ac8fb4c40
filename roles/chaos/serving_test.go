package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/killpoint"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
)

const listing = `{"status": "for_sale", "bed": 3, "bath": 2, "acre_lot": 1.17, "house_size": 2056, "prev_sold_date": "2021-12-01", "as_of": "2026-01-01"}`

// answer is what a request for a prediction got. ok is false if it got none, or an error.
type answer struct {
	ok      bool
	Price   float64 `json:"prediction"`
	Version string  `json:"model_version"`
}

// ask asks for the price of the listing under a request id.
func (w *world) ask(ctx context.Context, id string) (a answer) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.uri("serving")+"/predict", strings.NewReader(listing))
	if err != nil {
		return a
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return a
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	a.ok = err == nil && res.StatusCode == http.StatusOK && json.Unmarshal(body, &a) == nil
	return a
}

// load asks on several lines at the same time until it is stopped. Each request has an id of its own.
type load struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	answered map[string]answer
	asked    int
}

func (w *world) loadServing(ctx context.Context, lines int) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop, answered: map[string]answer{}}
	for line := range lines {
		l.wg.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				id := fmt.Sprintf("line-%d-%d", line, n)
				a := w.ask(context.WithoutCancel(ctx), id)
				l.mu.Lock()
				if l.asked++; a.ok {
					l.answered[id] = a
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// refused is how many requests got no answer, or an error.
func (l *load) refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked - len(l.answered)
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered)
}

// wrong returns what is not right with the records of the predictions that the load was answered; it must have been stopped.
func (l *load) wrong(t testing.TB, w *world) (lines []string, unanswered int) {
	t.Helper()
	db := open(t, filepath.Join(w.folder("serving"), "predictions.db"))
	recorded := map[string]string{}
	for _, row := range query(t, db, "SELECT request_id, count(*), min(model_version), min(prediction) = max(prediction) AND min(prediction) FROM predictions GROUP BY request_id") {
		id, _, _ := strings.Cut(row, " ")
		recorded[id] = row
		if _, ok := l.answered[id]; !ok {
			unanswered++
		}
	}
	for _, row := range query(t, db, "SELECT request_id FROM predictions GROUP BY request_id HAVING count(*) > 1") {
		lines = append(lines, "recorded more than once: "+row)
	}
	prices := map[string]map[string]bool{} // version → prices
	for _, row := range query(t, db, "SELECT DISTINCT model_version, prediction FROM predictions") {
		version, price, _ := strings.Cut(row, " ")
		if prices[version] == nil {
			prices[version] = map[string]bool{}
		}
		prices[version][price] = true
	}
	for id, a := range l.answered {
		if _, ok := recorded[id]; !ok {
			lines = append(lines, "answered but not recorded: "+id)
		}
		if !prices[a.Version][fmt.Sprint(a.Price)] {
			lines = append(lines, fmt.Sprintf("%s was answered %v by version %s, which is not what is recorded", id, a.Price, a.Version))
		}
	}
	for version, several := range prices {
		if len(several) != 1 {
			lines = append(lines, fmt.Sprintf("version %s gave %d different prices for one listing", version, len(several)))
		}
	}
	return lines, unanswered
}

// trained makes a world with two versions, the second in production, and returns the process of tracking.
func trained(t *testing.T, bin string) (*world, *testkit.Process) {
	t.Helper()
	w := newWorld(t, bin, "400,700")
	tracking := w.start(t, "tracking")
	pipeline := w.start(t, "pipeline")
	for _, id := range []string{"first", "second"} {
		require.True(t, w.trigger(t, id))
		w.await(t, id, pipeline)
	}
	pipeline.Stop(t)
	return w, tracking
}

func (w *world) promote(t *testing.T, version string) {
	t.Helper()
	_, err := w.tracking().TransitionStage(t.Context(), realtor.Model, version, registry.Production, true)
	require.NoError(t, err)
}

// awaitVersion waits until serving answers with a version.
func (w *world) awaitVersion(t *testing.T, version string) {
	t.Helper()
	require.Eventually(t, func() bool { return w.ask(t.Context(), "probe").Version == version }, time.Minute, 5*time.Millisecond)
}

// swaps are the points of a swap from version 1 to version 2, and the version that is on disk after a kill there.
func swaps() map[killpoint.Point]string {
	return map[killpoint.Point]string{killpoint.ModelDownloaded: "1", killpoint.ModelMoved: "1", killpoint.ModelNamed: "2"}
}

func TestServingKilledInTheMiddleOfAModelSwap(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	all := t // tracking outlives a case
	w, tracking := trained(t, testkit.Build(t, "-tags=killpoints"))
	for point, survivor := range swaps() {
		t.Run(string(point), func(t *testing.T) {
			w.promote(t, "1")
			serving := w.start(t, "serving")
			w.awaitVersion(t, "1")
			serving.Stop(t)
			serving = w.start(t, "serving", "KILLPOINT="+string(point))
			w.awaitVersion(t, "1")
			w.promote(t, "2")
			<-serving.Ended()
			require.True(t, serving.KilledItself(), serving.Log())

			tracking.Stop(t) // nobody can be asked: what is on disk must be whole
			serving = w.start(t, "serving")
			require.Equal(t, survivor, w.ask(t.Context(), "alone").Version, serving.Log())
			tracking = w.start(all, "tracking")
			w.awaitVersion(t, "2")
			serving.Stop(t)
			left, err := filepath.Glob(filepath.Join(w.folder("serving"), "serving", "model", "*"))
			require.NoError(t, err)
			hidden, err := filepath.Glob(filepath.Join(w.folder("serving"), "serving", "model", ".*"))
			require.NoError(t, err)
			left = slices.DeleteFunc(append(left, hidden...), func(path string) bool { return filepath.Base(path) == "seen" }) // the windows of drift
			require.Len(t, left, 2, "the model and the file that names it")
		})
	}
}

// predictionPoints are where serving is killed on the way of a prediction to the database.
func predictionPoints() []string {
	return []string{
		string(killpoint.JournalHalf) + ":40", string(killpoint.AfterPredictionIn) + ":40", string(killpoint.AfterShip) + ":3", string(killpoint.AfterCheckpoint) + ":4",
	}
}

// TestServingKilledOnTheWayOfAPrediction kills it in the middle of a write to the journal, before the answer, and where the journal and the database may disagree.
func TestServingKilledOnTheWayOfAPrediction(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	w, _ := trained(t, testkit.Build(t, "-tags=killpoints"))
	dir := w.dir
	for _, point := range predictionPoints() {
		t.Run(point, func(t *testing.T) {
			w.dir = filepath.Join(dir, strings.ReplaceAll(point, ":", "-"))
			serving := w.start(t, "serving", "KILLPOINT="+point)
			load := w.loadServing(t.Context(), 4)
			<-serving.Ended()
			require.True(t, serving.KilledItself(), serving.Log())
			before := load.count()
			serving = w.start(t, "serving")
			require.Eventually(t, func() bool { return load.count() > before+40 }, time.Minute, 5*time.Millisecond)
			load.stop()
			load.wg.Wait()
			http.DefaultClient.CloseIdleConnections()
			serving.Stop(t)
			wrong, unanswered := load.wrong(t, w)
			require.Empty(t, wrong)
			require.LessOrEqual(t, unanswered, 4, "one for each line")
			if strings.HasPrefix(point, string(killpoint.AfterPredictionIn)) {
				require.Positive(t, unanswered, "the prediction that was recorded when the process died was not answered")
			}
			left, err := filepath.Glob(filepath.Join(w.folder("serving"), "serving", "journal", "*.journal"))
			require.NoError(t, err)
			require.LessOrEqual(t, len(left), 1, "what is shipped is removed")
		})
	}
}

// TestTheDiskOfServingIsFull fills it under load. By default answers that cannot be recorded are not given; where they are, they are counted.
func TestTheDiskOfServingIsFull(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	w, _ := trained(t, testkit.Build(t))
	dir := w.dir
	for _, setting := range []string{"refuse", "serve"} {
		t.Run(setting, func(t *testing.T) {
			w.dir = filepath.Join(dir, setting)
			w.moreServing = []string{"--serving.unrecorded=" + setting}
			var serving *testkit.Process
			disk := smallDisk(t, w.folder("serving"), func() *testkit.Process { return serving })
			serving = w.start(t, "serving")
			load := w.loadServing(t.Context(), 3)
			require.Eventually(t, func() bool { return load.count() > 50 }, time.Minute, 5*time.Millisecond)
			disk.fill()
			if setting == "refuse" {
				require.Eventually(t, func() bool { return load.refused() > 20 }, time.Minute, 5*time.Millisecond)
				require.Regexp(t, "^the disk of the journal .*(is full; make space|cannot be written)", awaitPart(t, serving, "serving", "journal", "the disk of the journal"))
			} else {
				require.Eventually(t, func() bool { return w.unrecorded(t) > 20 }, time.Minute, 5*time.Millisecond)
			}
			disk.free()
			awaitPart(t, serving, "serving", "journal", "ok")
			before := load.count()
			require.Eventually(t, func() bool { return load.count() > before+50 }, time.Minute, 5*time.Millisecond)
			load.stop()
			load.wg.Wait()
			given := w.unrecorded(t)
			http.DefaultClient.CloseIdleConnections()
			serving.Stop(t)
			wrong, _ := load.wrong(t, w)
			require.Len(t, wrong, given, "%v", wrong)
			for _, line := range wrong {
				require.Contains(t, line, "answered but not recorded")
			}
			require.Equal(t, setting == "serve", given > 0)
		})
	}
}

// unrecorded returns how many predictions serving has given without a record.
func (w *world) unrecorded(t *testing.T) int {
	t.Helper()
	res, err := http.Get(w.uri("serving") + "/metrics")
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	_, after, found := strings.Cut(string(body), "\ntasador_predictions_unrecorded_total ")
	require.True(t, found)
	n, err := strconv.Atoi(strings.SplitN(after, "\n", 2)[0])
	require.NoError(t, err)
	return n
}
