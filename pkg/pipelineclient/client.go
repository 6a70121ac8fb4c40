// Package pipelineclient speaks to the pipeline role over its REST interface, whose shapes are those of Airflow's API v2.
package pipelineclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/outgoing"
)

const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 32 << 20 // bytes
)

// Client speaks to one pipeline server. It is safe for use by several goroutines.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the server at base, such as http://127.0.0.1:8080.
func New(base string, how outgoing.Options) *Client {
	client := how.Client(base, outgoing.NewTransport())
	client.Timeout = requestTimeout
	return &Client{base: strings.TrimSuffix(base, "/"), http: client}
}

// Trigger says how to start a DAG run; what is empty is chosen by the server. Conf is a JSON object.
type Trigger struct {
	RunID       string          `json:"dag_run_id,omitempty"`
	LogicalDate string          `json:"logical_date,omitempty"`
	Conf        json.RawMessage `json:"conf,omitempty"`
}

// Run is a DAG run as the server tells of it.
type Run struct {
	ID          string          `json:"dag_run_id"`
	DAGID       string          `json:"dag_id"`
	Type        dag.RunType     `json:"run_type"`
	State       dag.RunState    `json:"state"`
	LogicalDate *time.Time      `json:"logical_date"`
	QueuedAt    *time.Time      `json:"queued_at"`
	StartedAt   *time.Time      `json:"start_date"`
	EndedAt     *time.Time      `json:"end_date"`
	Conf        json.RawMessage `json:"conf"`
}

// Finished reports whether the run's state is final.
func (r *Run) Finished() bool { return r.State == dag.RunSuccess || r.State == dag.RunFailed }

// Task is a task instance as the server tells of it. State is "none" where the server says null.
type Task struct {
	ID        string         `json:"task_id"`
	State     *dag.TaskState `json:"state"`
	Try       int            `json:"try_number"`
	StartedAt *time.Time     `json:"start_date"`
	EndedAt   *time.Time     `json:"end_date"`
	Duration  *float64       `json:"duration"` // seconds
}

// StateName returns the state in a word.
func (t *Task) StateName() string {
	if t.State == nil || *t.State == dag.StateNone {
		return "none"
	}
	return string(*t.State)
}

// LogLine is one line of a task's log; what else it says is in Fields.
type LogLine struct {
	Time   time.Time
	Event  string
	Fields map[string]any
}

// Trigger starts a DAG run, which may wait for others to end. Codes: Invalid, NotFound, AlreadyExists, Unavailable.
func (c *Client) Trigger(ctx context.Context, dagID string, t Trigger) (*Run, error) {
	var run Run
	return &run, c.call(ctx, http.MethodPost, "/api/v2/dags/"+url.PathEscape(dagID)+"/dagRuns", t, &run)
}

// Run returns a DAG run. Codes: NotFound, Unavailable.
func (c *Client) Run(ctx context.Context, dagID, runID string) (*Run, error) {
	var run Run
	return &run, c.call(ctx, http.MethodGet, runPath(dagID, runID), nil, &run)
}

// Runs returns the newest DAG runs, at most limit. Codes: NotFound, Unavailable.
func (c *Client) Runs(ctx context.Context, dagID string, limit int) ([]Run, error) {
	var answer struct {
		Runs []Run `json:"dag_runs"`
	}
	path := fmt.Sprintf("/api/v2/dags/%s/dagRuns?limit=%d&order_by=-run_after", url.PathEscape(dagID), limit)
	err := c.call(ctx, http.MethodGet, path, nil, &answer)
	return answer.Runs, err
}

// Tasks returns the task instances of a DAG run. Codes: NotFound, Unavailable.
func (c *Client) Tasks(ctx context.Context, dagID, runID string) ([]Task, error) {
	var answer struct {
		Tasks []Task `json:"task_instances"`
	}
	err := c.call(ctx, http.MethodGet, runPath(dagID, runID)+"/taskInstances", nil, &answer)
	return answer.Tasks, err
}

// Log returns the log of one try of a task. Codes: NotFound, Unavailable.
func (c *Client) Log(ctx context.Context, dagID, runID, taskID string, try int) ([]LogLine, error) {
	var answer struct {
		Content []map[string]any `json:"content"`
	}
	path := fmt.Sprintf("%s/taskInstances/%s/logs/%d?full_content=true", runPath(dagID, runID), url.PathEscape(taskID), try)
	if err := c.call(ctx, http.MethodGet, path, nil, &answer); err != nil {
		return nil, err
	}
	lines := make([]LogLine, 0, len(answer.Content))
	for _, fields := range answer.Content {
		var line LogLine
		line.Event, _ = fields["event"].(string)
		if text, ok := fields["timestamp"].(string); ok {
			line.Time, _ = time.Parse(time.RFC3339Nano, text) // a line without a readable time keeps the zero one
		}
		delete(fields, "event")
		delete(fields, "timestamp")
		line.Fields = fields
		lines = append(lines, line)
	}
	return lines, nil
}

// SetPaused pauses a DAG's schedule or resumes it. Codes: NotFound, Unavailable.
func (c *Client) SetPaused(ctx context.Context, dagID string, paused bool) error {
	path := "/api/v2/dags/" + url.PathEscape(dagID) + "?update_mask=is_paused"
	return c.call(ctx, http.MethodPatch, path, map[string]bool{"is_paused": paused}, nil)
}

func runPath(dagID, runID string) string {
	return "/api/v2/dags/" + url.PathEscape(dagID) + "/dagRuns/" + url.PathEscape(runID)
}

func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return apperror.Wrap(apperror.Invalid, err, "the request cannot be written as JSON")
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return apperror.Wrap(apperror.Invalid, err, "%s is not the address of a pipeline server; write it as http://host:port", c.base)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return apperror.Wrap(apperror.Unavailable, err, "no pipeline server answers at %s; start one with tasador --role=pipeline, or name its address", c.base)
	}
	defer func() { _ = res.Body.Close() }() // only read from
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "the pipeline server at %s broke off its answer", c.base)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return refused(res.StatusCode, b, c.base)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "%s answers, but not as a pipeline server does; check the address", c.base)
	}
	return nil
}

// refused turns an error answer into an error with a code. It is the one place that does.
func refused(status int, body []byte, base string) error {
	if status == http.StatusUnauthorized {
		return apperror.New(apperror.PermissionDenied, "the pipeline server at %s does not know who asks; make a token there with tasador token create, "+
			"and give it with --auth.token-file or TASADOR_AUTH_TOKEN", base)
	}
	var answer struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Detail) == 0 {
		return apperror.New(apperror.Unavailable, "%s answers %d %s, but not as a pipeline server does; check the address", base, status, http.StatusText(status))
	}
	detail := string(answer.Detail) // a list of problems stays as it is; a sentence loses its quotes
	var text string
	if json.Unmarshal(answer.Detail, &text) == nil {
		detail = text
	}
	switch {
	case status == http.StatusNotFound:
		return apperror.New(apperror.NotFound, "%s", detail)
	case status == http.StatusConflict:
		return apperror.New(apperror.AlreadyExists, "%s", detail)
	case status == http.StatusForbidden:
		return apperror.New(apperror.PermissionDenied, "%s; for more, give the token of another user with --auth.token-file, which tasador token create makes", detail)
	case status >= http.StatusInternalServerError:
		return apperror.New(apperror.Unavailable, "the pipeline server at %s failed: %s", base, detail)
	default:
		return apperror.New(apperror.Invalid, "%s", detail)
	}
}
