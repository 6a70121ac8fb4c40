package roles_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
)

// pipeline is an address of the pipeline server.
func (s *stack) pipeline(path string) string { return "http://" + s.cfg.Pipeline.Listen + path }

// rest reads an answer of the REST interface.
func (s *stack) rest(t *testing.T, path string) map[string]any {
	t.Helper()
	status, body := get(t, s.pipeline("/api/v2/dags/realtor_price_model"+path))
	require.Equal(t, http.StatusOK, status, body)
	var tree map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &tree))
	return tree
}

func TestAPersonLooksAfterTheDAG(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	b := tab{t: t, ctx: browser(t)}
	b.open(s.pipeline("/"))
	b.picture("dags-empty")
	b.click("#pause")
	b.do(chromedp.WaitReady(chromedp.CSS(`#pause[aria-checked="true"]`)))
	require.Equal(t, true, s.rest(t, "")["is_paused"])

	// What is wrong stands beside the field and what was typed stays.
	b.open(s.pipeline("/dags/realtor_price_model"))
	b.replace("#run_id", "by-hand")
	b.replace("#conf", `{"as_of": "soon"}`)
	b.click("#trigger")
	require.Contains(t, b.text("#conf-error"), "as_of")
	require.Equal(t, "by-hand", evaluate[string](b, `document.querySelector("#run_id").value`))
	b.picture("dag-mistakes")
	require.EqualValues(t, 0, s.rest(t, "/dagRuns")["total_entries"])
	b.replace("#conf", `{"as_of": "2026-01-01"}`)
	b.click("#trigger")
	require.Contains(t, b.text("#triggered"), "by-hand")
	b.do(chromedp.WaitVisible(chromedp.CSS("#run-state .s-queued")))

	// Somebody lets the DAG go on, and the open page shows it without being loaded again.
	evaluate[bool](b, `window.loadedOnce = true`)
	s.setPaused(t, false)
	b.do(chromedp.WaitVisible(chromedp.CSS(`.box.s-success #box-end`)), chromedp.WaitVisible(chromedp.CSS("#run-state .s-success")))
	require.True(t, evaluate[bool](b, `window.loadedOnce === true`), "the page was not loaded again")
	require.Equal(t, 3, evaluate[int](b, `document.querySelectorAll(".box.s-skipped").length`), "reset_data, end_after_reset, end_no_train")
	run := s.rest(t, "/dagRuns/by-hand")
	require.Equal(t, "success", run["state"])
	require.Equal(t, map[string]any{"as_of": "2026-01-01"}, run["conf"])
	b.picture("dag-success")

	// From the graph to the log of a task.
	b.click("#box-train_and_register")
	require.Contains(t, b.text("#lines"), "The task succeeded.")
	require.Contains(t, b.text("#task-state"), "success")
	b.picture("task")

	// Clearing asks first.
	b.click("#preview")
	require.Contains(t, b.text("#changes"), "train_and_register")
	require.NotContains(t, b.text("#changes"), "preprocess_data")
	require.EqualValues(t, 1, s.rest(t, "/dagRuns/by-hand/taskInstances/train_and_register")["try_number"])
	b.picture("clear")
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#clear-title")))
	require.Eventually(t, func() bool {
		return s.rest(t, "/dagRuns/by-hand/taskInstances/end")["try_number"] == 2.0 && s.rest(t, "/dagRuns/by-hand")["state"] == "success"
	}, time.Minute, 20*time.Millisecond)
	require.EqualValues(t, 2, s.rest(t, "/dagRuns/by-hand/taskInstances/train_and_register")["try_number"])
	require.EqualValues(t, 1, s.rest(t, "/dagRuns/by-hand/taskInstances/preprocess_data")["try_number"])
	b.do(chromedp.WaitVisible(chromedp.CSS("#run-state .s-success")))
	b.picture("run")

	s.requireLogFollows(t, b)
	s.requireGoodPages(t, b)
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

// requireGoodPages looks at every page of the pipeline in several widths, both languages and both themes: none scrolls sideways, and axe-core finds nothing.
func (s *stack) requireGoodPages(t *testing.T, b tab) {
	t.Helper()
	source := axe(t)
	const run = "/dags/realtor_price_model/runs/by-hand"
	pages := map[string]string{"list": "/", "dag": "/dags/realtor_price_model", "run": run, "task": run + "/tasks/extract_data", "none": "/dags/none"}
	for _, view := range []struct {
		name, query string
		width       int64
	}{{"en-light-1440", "?lang=en&theme=light", 1440}, {"es-dark-360", "?lang=es&theme=dark", 360}, {"en-light-768", "?lang=en&theme=light", 768}, {"es-dark-1440", "?lang=es&theme=dark", 1440}} {
		b.do(chromedp.EmulateViewport(view.width, 900))
		for name, path := range pages {
			b.open(s.pipeline(path + view.query))
			over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
			b.picture(name + "-" + view.name)
			require.Zero(t, over, "%s is wider than %d pixels", path, view.width)
			b.requireAccessible(source, path+view.query)
		}
	}
}
