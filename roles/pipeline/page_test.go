package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/testkit"
)

// page asks for a page as a browser does, and does not follow where it leads.
func (s *server) page(t *testing.T, method, path string, form url.Values) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html,*/*")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", s.url)
	}
	res, err := s.client.Transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, html.UnescapeString(string(body)), res.Header
}

func (s *server) see(t *testing.T, path string) string {
	t.Helper()
	status, text, _ := s.page(t, http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, status, "%s: %s", path, text)
	return text
}

func TestPagesShowTheRunsOfTheDAG(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	require.Contains(t, s.see(t, "/"), "There is no run yet")
	require.Contains(t, s.see(t, "/dags/small"), "tasador dags trigger small --wait")
	s.trigger(t, `{"dag_run_id": "r+1", "conf": {"as_of": "2026-01-31"}, "note": "<b>why</b>"}`)
	s.await(t, "r+1", "success")
	s.trigger(t, `{"dag_run_id": "bad", "conf": {"fail": true}}`)
	s.await(t, "bad", "failed")

	first := s.see(t, "/")
	require.Contains(t, first, `href="/dags/small?run=bad"`)
	require.Contains(t, first, `href="/dags/small?run=r%2B1"`)
	require.Regexp(t, `Last DAG run.*\n?.*s-failed`, first)

	newest := s.see(t, "/dags/small")
	require.Regexp(t, `class="box s-failed"><a href="/dags/small/runs/bad/tasks/broken"`, newest)
	require.Regexp(t, `class="box s-upstream_failed"><a href="/dags/small/runs/bad/tasks/last"`, newest)
	chosen := s.see(t, "/dags/small?run=r%2B1")
	require.Regexp(t, `class="box s-success"><a href="/dags/small/runs/r\+1/tasks/last"`, chosen)
	require.Equal(t, 2, strings.Count(chosen, `class="edge taken"`))

	run := s.see(t, "/dags/small/runs/r+1")
	require.Contains(t, run, "2026-01-31")
	require.NotContains(t, run, "&lt;", "escaped once")
	task := s.see(t, "/dags/small/runs/bad/tasks/broken")
	require.Contains(t, task, "it had to fail")
	require.Contains(t, s.see(t, "/dags/small/runs/bad/tasks/count"), "<span>counting</span><i>rows=3</i>")
	require.Contains(t, s.see(t, "/dags/small/runs/bad/tasks/count"), "new_records")

	for _, path := range []string{"/nowhere", "/dags/other", "/dags/small/runs/none", "/dags/small?run=none", "/dags/small/runs/bad/tasks/none", "/dags/small/runs/bad/tasks/count?try=9"} {
		status, text, _ := s.page(t, http.MethodGet, path, nil)
		require.Equal(t, http.StatusNotFound, status, path)
		require.Contains(t, text, "There is no page at", path)
	}
}

func TestAFormTriggersARun(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	for _, c := range []struct{ id, conf, problem string }{
		{"a", `{"fail"`, "This is not a JSON object"},
		{"a", `[1]`, "This is not a JSON object"},
		{"a", `{"fail": 1}`, "This conf cannot be used"},
		{"a b", "{}", "This id cannot be used"},
		{"scheduled__x", "{}", "This id cannot be used"},
	} {
		status, text, _ := s.page(t, http.MethodPost, "/dags/small", url.Values{"run_id": {c.id}, "conf": {c.conf}})
		require.Equal(t, http.StatusUnprocessableEntity, status, "%v", c)
		require.Contains(t, text, c.problem)
		require.Contains(t, text, ">"+c.conf+"</textarea>", "what was typed stays")
		require.Contains(t, text, `value="`+c.id+`"`, "what was typed stays")
	}
	require.EqualValues(t, 0, s.get(t, runs)["total_entries"])

	status, _, header := s.page(t, http.MethodPost, "/dags/small", url.Values{"run_id": {"by+hand"}, "conf": {` {"fail": false} `}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, s.see(t, header.Get("Location")), `href="/dags/small/runs/by+hand"`)
	run := s.await(t, "by+hand", "success")
	require.Equal(t, map[string]any{"fail": false}, run["conf"])
	require.Equal(t, "ui", run["triggered_by"])

	status, text, _ := s.page(t, http.MethodPost, "/dags/small", url.Values{"run_id": {"by+hand"}})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, "already has a run with this id")
	status, _, _ = s.page(t, http.MethodPost, "/dags/small", nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.EqualValues(t, 2, s.get(t, runs)["total_entries"])
}

func TestAFormPausesTheDAG(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	status, _, header := s.page(t, http.MethodPost, "/dags/small/pause", url.Values{"paused": {"true"}, "from": {"list"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/", header.Get("Location"))
	require.Equal(t, true, s.get(t, "/api/v2/dags/small")["is_paused"])
	require.Contains(t, s.see(t, "/"), `aria-checked="true"`)
	status, _, _ = s.page(t, http.MethodPost, "/dags/small/pause", url.Values{"paused": {"perhaps"}})
	require.Equal(t, http.StatusBadRequest, status)
	_, _, header = s.page(t, http.MethodPost, "/dags/small/pause", url.Values{"paused": {"false"}})
	require.Equal(t, "/dags/small", header.Get("Location"))
	require.Equal(t, false, s.get(t, "/api/v2/dags/small")["is_paused"])
}

func TestAClearShowsFirstWhatItChanges(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "a", "conf": {"fail": true}}`)
	s.await(t, "a", "failed")
	const address = "/dags/small/runs/a"
	status, text, _ := s.page(t, http.MethodPost, address, nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, text, "Choose at least one task.")

	chosen := url.Values{"task": {"broken"}, "downstream": {"yes"}}
	status, text, _ = s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusOK, status)
	changes := text[strings.Index(text, "<tbody>"):strings.Index(text, "</tbody>")]
	require.Contains(t, changes, "<td>broken</td>")
	require.Contains(t, changes, "<td>last</td>")
	require.NotContains(t, changes, "<td>count</td>")
	require.Equal(t, "failed", s.get(t, runs+"/a")["state"], "the preview changes nothing")

	seen := regexp.MustCompile(`name="seen" value="(\w+)"`)
	agreed := seen.FindStringSubmatch(text)[1]
	chosen.Set("seen", agreed)
	status, _, header := s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, address+"?cleared=yes", header.Get("Location"))
	require.Eventually(t, func() bool {
		return s.get(t, runs+"/a/taskInstances/broken")["try_number"] == 2.0 && s.get(t, runs+"/a")["state"] == "failed"
	}, time.Minute, 5*time.Millisecond, "it ran and failed once more")
	require.EqualValues(t, 1, s.get(t, runs+"/a/taskInstances/count")["try_number"])

	status, text, _ = s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "The tasks have changed since you looked.")
	require.EqualValues(t, 2, s.get(t, runs+"/a/taskInstances/broken")["try_number"], "what was agreed to is not so any more")
	require.Contains(t, s.see(t, address+"/tasks/broken?try=1"), "Log of try 1")
}

// stream is an answer of the events that is still open.
type stream struct {
	t      *testing.T
	status int
	kind   string
	lines  *bufio.Scanner
}

func (s *server) follow(t *testing.T, query string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/dags/small/events?"+query, nil)
	require.NoError(t, err)
	res, err := s.client.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, res.Body.Close()) })
	return &stream{t: t, status: res.StatusCode, kind: res.Header.Get("Content-Type"), lines: bufio.NewScanner(res.Body)}
}

// next returns what follows prefix in the next line that begins with it.
func (s *stream) next(prefix string) string {
	s.t.Helper()
	for s.lines.Scan() {
		if text, ok := strings.CutPrefix(s.lines.Text(), prefix); ok {
			return text
		}
	}
	require.Fail(s.t, "the stream ended", "%v", s.lines.Err())
	return ""
}

func TestEventsTellWhatChanges(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	events := s.follow(t, "")
	require.Equal(t, "text/event-stream", events.kind)
	before := events.next("data: ")
	s.trigger(t, `{"dag_run_id": "a"}`)
	require.NotEqual(t, before, events.next("data: "))
	s.await(t, "a", "success")

	log := s.follow(t, "run=a&task=count&try=1")
	log.next("event: log")
	require.Contains(t, log.next("data: "), "begins")
	require.Contains(t, log.next("data: "), `"message":"counting","attributes":"rows=3"`)
	for _, query := range []string{"run=none", "run=a&task=none&try=1"} {
		require.Equal(t, http.StatusNotFound, s.follow(t, query).status, query)
	}
	require.Equal(t, http.StatusBadRequest, s.follow(t, "after=x").status)
}

func TestEventsAreBoundedAndEndWithTheServer(t *testing.T) {
	ln := testkit.Listen(t)
	service, err := open(t.Context(), settings(t, t.TempDir()), ln, slog.New(slog.DiscardHandler), nil, smallJob)
	require.NoError(t, err)
	stop := testkit.Serve(t, service)
	s := &server{url: "http://" + ln.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(s.client.CloseIdleConnections)
	first := s.follow(t, "")
	for range maxFeedsOfOne - 1 {
		require.Equal(t, http.StatusOK, s.follow(t, "").status)
	}
	require.Equal(t, http.StatusServiceUnavailable, s.follow(t, "").status, "one client holds only so many")

	begin := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(begin), 5*time.Second, "streams do not hold up the stop")
	for first.lines.Scan() {
		require.NotContains(t, first.lines.Text(), "error")
	}
	require.NoError(t, first.lines.Err(), "the stream ends whole")
}

// TestTheGraphHasNoBoxesThatOverlap lays out the shape of the price model.
func TestTheGraphHasNoBoxesThatOverlap(t *testing.T) {
	ok := func(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }
	plan, err := dag.NewPlan(dag.Definition{ID: "g", Tasks: []dag.Task{
		{ID: "a", Run: ok}, {ID: "b", Upstream: []string{"a"}, Run: ok}, {ID: "c", Upstream: []string{"a"}, Run: ok}, {ID: "d", Upstream: []string{"c"}, Run: ok},
		{ID: "end", Upstream: []string{"b", "d"}, Run: ok},
	}})
	require.NoError(t, err)
	tasks := map[string]taskView{}
	for id, state := range map[string]dag.TaskState{"a": "success", "b": "skipped", "c": "success", "d": "running", "end": ""} {
		tasks[id] = taskView{ID: id, State: viewOf(string(state))}
	}
	g := drawGraph(plan, tasks)
	at := map[string]box{}
	for _, b := range g.Boxes {
		require.GreaterOrEqual(t, b.X, 0)
		require.GreaterOrEqual(t, b.Y, 0)
		require.LessOrEqual(t, b.X+boxWidth, g.Width)
		require.LessOrEqual(t, b.Y+boxHeight, g.Height)
		for _, other := range at {
			require.False(t, b.X < other.X+boxWidth && other.X < b.X+boxWidth && b.Y < other.Y+boxHeight && other.Y < b.Y+boxHeight, "%s lies on %s", b.Task.ID, other.Task.ID)
		}
		at[b.Task.ID] = b
	}
	require.Equal(t, at["b"].X, at["c"].X, "one layer")
	require.Less(t, at["d"].X, at["end"].X)
	ways := map[string]int{}
	for _, e := range g.Edges {
		ways[e.Way]++
	}
	require.Equal(t, map[string]int{"taken": 2, "left": 2, "open": 1}, ways, "a-c and c-d; a-b and b-end; d-end")
}

func TestStatesAreExplainedInSpanish(t *testing.T) {
	content, err := os.ReadFile("../../web/translations/es.json")
	require.NoError(t, err)
	var spanish map[string]string
	require.NoError(t, json.Unmarshal(content, &spanish))
	for _, state := range []dag.TaskState{
		dag.StateNone, dag.StateScheduled, dag.StateQueued, dag.StateRunning, dag.StateSuccess, dag.StateFailed, dag.StateUpForRetry, dag.StateSkipped, dag.StateUpstreamFailed,
	} {
		require.NotEmpty(t, spanish[viewOf(string(state)).Means], "state %q", state)
	}
	s := start(t, settings(t, t.TempDir()))
	_, text, _ := s.page(t, http.MethodPost, "/dags/small?lang=es", url.Values{"conf": {"x"}, "run_id": {"a b"}})
	require.Contains(t, text, "Esto no es un objeto JSON")
	require.Contains(t, text, "Este id no sirve")
}
