package roles_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

// pipeline is an address of the pipeline server.
func (s *stack) pipeline(path string) string { return "http://" + s.cfg.Pipeline.Listen + path }

// runs opens the database of the pipeline beside the running server: what a test checks is what is stored, not what the server says.
func (s *stack) runs(t *testing.T) *dagrunstore.Store {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), s.cfg.Pipeline.DB, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	store, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// ended waits until a run has ended and returns it as it is stored, with the numbers of the tries of its tasks.
func ended(t *testing.T, store *dagrunstore.Store, id string) (dagrunstore.Run, map[string]int) {
	t.Helper()
	var run dagrunstore.Run
	require.Eventually(t, func() bool {
		var err error
		run, err = store.Run(t.Context(), realtor.DAG, id)
		return err == nil && (run.State == dag.RunSuccess || run.State == dag.RunFailed)
	}, time.Minute, 20*time.Millisecond, "%s does not end", id)
	return run, triesOf(t, store, id)
}

func triesOf(t *testing.T, store *dagrunstore.Store, id string) map[string]int {
	t.Helper()
	instances, err := store.Instances(t.Context(), realtor.DAG, id)
	require.NoError(t, err)
	tries := map[string]int{}
	for _, i := range instances {
		tries[i.TaskID] = i.Try
	}
	return tries
}

func requirePaused(t *testing.T, store *dagrunstore.Store, want bool) {
	t.Helper()
	stored, err := store.DAG(t.Context(), realtor.DAG)
	require.NoError(t, err)
	require.Equal(t, want, stored.Paused)
}

func requireRuns(t *testing.T, store *dagrunstore.Store, want int64) {
	t.Helper()
	_, total, err := store.Runs(t.Context(), dagrunstore.RunQuery{DAGID: realtor.DAG})
	require.NoError(t, err)
	require.Equal(t, want, total, "runs stored")
}

const dagPage = "/dags/realtor_price_model"

func TestAPersonLooksAfterTheDAG(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	store, b := s.runs(t), tab{t: t, ctx: browser(t)}
	b.open(s.pipeline("/"))
	b.picture("dags-empty")
	b.click("#pause")
	b.do(chromedp.WaitReady(chromedp.CSS(`#pause[aria-checked="true"]`)))
	requirePaused(t, store, true)

	// What is wrong stands beside the field and what was typed stays.
	b.open(s.pipeline(dagPage))
	b.replace("#run_id", "by-hand")
	b.replace("#conf", `{"as_of": "soon"}`)
	b.click("#trigger")
	require.Contains(t, b.text("#conf-error"), "as_of")
	require.Equal(t, "by-hand", evaluate[string](b, `document.querySelector("#run_id").value`))
	b.picture("dag-mistakes")
	requireRuns(t, store, 0)
	b.replace("#conf", `{"as_of": "2026-01-01"}`)
	b.click("#trigger")
	require.Contains(t, b.text("#triggered"), "by-hand")
	b.do(chromedp.WaitVisible(chromedp.CSS("#run-state .s-queued")))
	run, err := store.Run(t.Context(), realtor.DAG, "by-hand")
	require.NoError(t, err)
	require.Equal(t, dag.RunQueued, run.State)
	require.JSONEq(t, `{"as_of": "2026-01-01"}`, string(run.Conf))
	require.Equal(t, "ui", run.TriggeredBy)

	// Somebody else lets the DAG go on, and the open page shows it without being loaded again.
	evaluate[bool](b, `window.loadedOnce = true`)
	s.setPaused(t, false)
	b.do(chromedp.WaitVisible(chromedp.CSS(`.box.s-success #box-end`)), chromedp.WaitVisible(chromedp.CSS("#run-state .s-success")))
	require.True(t, evaluate[bool](b, `window.loadedOnce === true`), "the page was not loaded again")
	require.Equal(t, 3, evaluate[int](b, `document.querySelectorAll(".box.s-skipped").length`), "reset_data, end_after_reset, end_no_train")
	run, _ = ended(t, store, "by-hand")
	require.Equal(t, dag.RunSuccess, run.State)
	b.picture("dag-success")

	// From the graph to the log of a task, and to its rows: 1500 are cut at 900 and 1200.
	b.click("#box-train_and_register")
	require.Contains(t, b.text("#lines"), "The task succeeded.")
	require.Contains(t, b.text("#task-state"), "success")
	require.Regexp(t, `in\s+train_clean\s+900`, b.text("#rows"))
	b.picture("task")

	// Running a task again asks first.
	b.click("#preview")
	require.Contains(t, b.text("#changes"), "train_and_register")
	require.NotContains(t, b.text("#changes"), "preprocess_data")
	require.Equal(t, 1, triesOf(t, store, "by-hand")["train_and_register"])
	b.picture("clear")
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#clear-title")), chromedp.WaitVisible(chromedp.CSS("#run-state .s-success")))
	requireRerun(t, store, "by-hand", map[string]int{"preprocess_data": 1, "train_and_register": 2, "end": 2})

	// So does clearing several tasks of the run, without those after them.
	b.click(`input[name="task"][value="end_no_train"]`)
	b.click(`input[name="task"][value="end"]`)
	b.click(`input[name="downstream"]`)
	b.click("#preview")
	require.NotContains(t, b.text("#changes"), "train_and_register")
	require.Equal(t, 2, triesOf(t, store, "by-hand")["end"])
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#clear-title")), chromedp.WaitVisible(chromedp.CSS("#run-state .s-success")))
	requireRerun(t, store, "by-hand", map[string]int{"train_and_register": 2, "end": 3})
	b.picture("run")

	s.requireLogFollows(t, b)
	b.open(s.pipeline("/"))
	requirePaused(t, store, false)
	s.requireGoodPages(t, b, map[string]string{"list": "/", "dag": dagPage, "run": dagPage + "/runs/by-hand", "task": dagPage + "/runs/by-hand/tasks/split_data", "none": "/dags/none"})
}

// requireRerun waits until tasks have been run as often as they should, and the run has ended well.
func requireRerun(t *testing.T, store *dagrunstore.Store, id string, want map[string]int) {
	t.Helper()
	require.Eventually(t, func() bool {
		have := triesOf(t, store, id)
		for task, n := range want {
			if have[task] != n {
				return false
			}
		}
		run, err := store.Run(t.Context(), realtor.DAG, id)
		return err == nil && run.State == dag.RunSuccess
	}, time.Minute, 20*time.Millisecond, "%v, not %v", triesOf(t, store, id), want)
}

// requireLogFollows opens the log of a task that has yet to begin, and sees its lines come.
func (s *stack) requireLogFollows(t *testing.T, b tab) {
	t.Helper()
	s.setPaused(t, true)
	status, body := send(t, http.MethodPost, s.pipeline("/api/v2/dags/realtor_price_model/dagRuns"), nil, `{"dag_run_id": "second"}`)
	require.Equal(t, http.StatusOK, status, body)
	b.open(s.pipeline("/dags/realtor_price_model/runs/second/tasks/extract_data"))
	require.Equal(t, "There are no lines yet.", b.text("#no-lines"))
	evaluate[bool](b, `window.loadedOnce = true`)
	s.setPaused(t, false)
	b.do(chromedp.WaitVisible(chromedp.CSS("#task-state .s-success")), chromedp.WaitVisible(chromedp.CSS("#lines li:nth-child(2)")))
	require.Eventually(t, func() bool {
		return strings.Contains(evaluate[string](b, `document.querySelector("#lines").textContent`), "The task succeeded.")
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, 1, evaluate[int](b, `[...document.querySelectorAll("#lines li")].filter((l) => l.textContent.includes("begins")).length`), "no line comes twice")
	require.True(t, evaluate[bool](b, `window.loadedOnce === true`), "the page was not loaded again")
}

func (s *stack) setPaused(t *testing.T, paused bool) {
	t.Helper()
	status, body := send(t, http.MethodPatch, s.pipeline("/api/v2/dags/realtor_price_model"), nil, fmt.Sprintf(`{"is_paused": %t}`, paused))
	require.Equal(t, http.StatusOK, status, body)
}

// requireGoodPages looks at pages of the pipeline in several widths, both languages and both themes: none scrolls sideways, and axe-core finds nothing.
func (s *stack) requireGoodPages(t *testing.T, b tab, pages map[string]string) {
	t.Helper()
	source := axe(t)
	for _, view := range []struct {
		name, lang, theme string
		width             int64
	}{{"en-light-1440", "en", "light", 1440}, {"es-dark-360", "es", "dark", 360}, {"en-light-768", "en", "light", 768}, {"es-dark-1440", "es", "dark", 1440}} {
		b.do(chromedp.EmulateViewport(view.width, 900))
		b.open(s.pipeline("/?lang=" + view.lang + "&theme=" + view.theme)) // which is remembered
		for name, path := range pages {
			b.open(s.pipeline(path))
			require.Equal(t, view.lang, evaluate[string](b, `document.documentElement.lang`))
			b.requireGoodPage(source, path, name+"-"+view.name, view.width)
		}
	}
}

// requireGoodPage looks at the page that is open.
func (b tab) requireGoodPage(source, page, picture string, width int64) {
	b.t.Helper()
	over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	b.picture(picture)
	require.Zero(b.t, over, "%s is wider than %d pixels", page, width)
	b.requireAccessible(source, page+" "+picture)
}
