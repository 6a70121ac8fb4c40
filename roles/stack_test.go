package roles_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/lifecycle"
	"tasador/pkg/model"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
	"tasador/roles"
)

// stack is some roles that run in this process, in a folder of their own.
type stack struct {
	cfg  *config.Config
	stop func()
	how  outgoing.Options // of asking the servers
}

// startStack runs roles until the test ends; change may adjust the settings, which suit small batches without gaps.
func startStack(t *testing.T, change func(*config.Config), names ...string) *stack {
	t.Helper()
	cfg, err := config.Default()
	require.NoError(t, err)
	for _, role := range names {
		*cfg.Listen(role) = "127.0.0.1:0"
	}
	cfg.DataDir = t.TempDir()
	cfg.Serving.Follow = 20 * time.Millisecond
	cfg.Gate.MinNewRecords = 1000
	cfg.Source.Batches = "1500,0,10,1500,rest"
	cfg.Schedule.Cron, cfg.Schedule.RetryDelay = "none", time.Millisecond
	if change != nil {
		change(cfg)
	}
	stop := testkit.Serve(t, lifecycle.Func(func(ctx context.Context, ready func()) error {
		return roles.Run(ctx, cfg, names, slog.New(slog.DiscardHandler), ready)
	}))
	return &stack{cfg: cfg, how: cfg.ToTracking("", nil), stop: func() { require.NoError(t, stop()) }}
}

func (s *stack) serving(path string) string { return "http://" + s.cfg.Serving.Listen + path }

// runDAG runs the DAG once and waits for its end, which must be a success.
func (s *stack) runDAG(t *testing.T, id string) {
	t.Helper()
	client := pipelineclient.New(s.cfg.Address(config.RolePipeline), s.how)
	_, err := client.Trigger(t.Context(), realtor.DAG, pipelineclient.Trigger{RunID: id})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		run, err := client.Run(t.Context(), realtor.DAG, id)
		return err == nil && run.Finished()
	}, time.Minute, 20*time.Millisecond)
	run, err := client.Run(t.Context(), realtor.DAG, id)
	require.NoError(t, err)
	require.Equal(t, dag.RunSuccess, run.State)
}

// waitForVersion waits until serving answers with a version.
func (s *stack) waitForVersion(t *testing.T, version string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, body := get(t, s.serving("/metrics"))
		return status == http.StatusOK && strings.Contains(body, "tasador_served_model_version "+version+"\n")
	}, 30*time.Second, 20*time.Millisecond)
}

// servedModel is the model that serving answers with, read from where it keeps it.
func (s *stack) servedModel(t *testing.T, version string) *model.Model {
	t.Helper()
	m, err := model.LoadFolder(filepath.Join(s.cfg.DataDir, "serving", "model", version))
	require.NoError(t, err)
	return m
}

// predictions reads what is recorded, beside the running server.
func (s *stack) predictions(t *testing.T) *predictionstore.Store {
	t.Helper()
	store, err := predictionstore.Open(t.Context(), s.cfg.Predictions.URL, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// recorded returns the predictions of a request, once the journal has brought them to the database.
func (s *stack) recorded(t *testing.T, requestID string) []predictionstore.Record {
	t.Helper()
	s.waitForShipped(t)
	records, err := s.predictions(t).ByRequest(t.Context(), requestID)
	require.NoError(t, err)
	return records
}

// waitForShipped waits until nothing that was answered before is in the journal only.
func (s *stack) waitForShipped(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, body := get(t, s.serving("/metrics"))
		return status == http.StatusOK && strings.Contains(body, "tasador_journal_backlog_entries 0\n")
	}, 30*time.Second, 5*time.Millisecond)
}

func (s *stack) requireRecorded(t *testing.T, want int64) {
	t.Helper()
	s.waitForShipped(t)
	n, err := s.predictions(t).Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, n, "predictions recorded")
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	return send(t, http.MethodGet, address, nil, "")
}

func submit(t *testing.T, address string, form url.Values) (int, string) {
	t.Helper()
	return send(t, http.MethodPost, address, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
}

func send(t *testing.T, method, address string, header http.Header, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	return sendBy(t, http.DefaultClient, req)
}

func sendBy(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

// money writes dollars as an English page does, in a way of its own.
func money(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	whole, cents, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return "$" + whole + "." + cents
}
