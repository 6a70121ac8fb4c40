//go:build bench

package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/listinggen"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
)

// The names of the servers. FastAPI runs on uvicorn with uvloop and httptools, in one process as uvicorn starts it by itself, and with a 2 in its
// name in two, as there are two processors where this is run; mlflow models serve starts one by itself.
const (
	constantHandler = "constant"
	bindingHandler  = "bind"
	usual           = "fastapi-usual"
	usual2          = "fastapi-usual-2"
	tuned           = "fastapi-tuned"
	tuned2          = "fastapi-tuned-2"
	fast2           = "fastapi-fast-2" // and mlflow
)

// subject is a server that is measured.
type subject struct {
	name string
	url  string
	pid  int
	body []byte // of the requests of wrk
	// encode makes the body for a listing, and priceIn finds the price in the answer.
	encode  func(t testing.TB, l *property.Listing, asOf string) []byte
	priceIn func(t testing.TB, answer []byte) float64
	// want is the right price.
	want func(l *property.Listing) float64
}

// subjects starts all servers, ours first and the constant handler second. All run at once; who is not asked has nothing to do.
func (w *serveWorld) subjects(t testing.TB) []*subject {
	t.Helper()
	right := func(l *property.Listing) float64 {
		p, err := w.model.Predict(*l, asOfTime(t))
		require.NoError(t, err)
		return p.Price
	}
	handlers := testkit.FreeAddress(t)
	program := filepath.Join(t.TempDir(), "handlers")
	build := exec.Command("go", "build", "-tags", "bench", "-o", program, "./roles/bench/handlers")
	build.Dir = w.root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	pid := launch(t, exec.CommandContext(t.Context(), program, handlers))

	list := []*subject{
		{name: ours, url: w.serving.Addresses["serving"] + "/predict", pid: w.serving.PID(), want: right},
		{name: constantHandler, url: "http://" + handlers + "/constant", pid: pid, want: func(*property.Listing) float64 { return 1 }},
		{name: bindingHandler, url: "http://" + handlers + "/bind", pid: pid, want: func(l *property.Listing) float64 { return l.Bed + l.Bath + l.AcreLot + l.HouseSize }},
	}
	for _, p := range []struct {
		name, app string
		workers   int
	}{{usual, "fastapi_usual:app", 1}, {usual2, "fastapi_usual:app", 2}, {tuned, "fastapi_tuned:app", 1}, {tuned2, "fastapi_tuned:app", 2}, {fast2, "fastapi_fast:app", 2}} {
		if !wanted(p.name) {
			continue
		}
		host, port := freePort(t)
		pid := launch(t, w.python(t, "-m", "uvicorn", p.app, "--app-dir", "scripts/bench", "--host", host, "--port", port, "--workers", strconv.Itoa(p.workers), "--no-access-log"))
		list = append(list, &subject{name: p.name, url: "http://" + net.JoinHostPort(host, port) + "/predict", pid: pid, want: right})
	}
	for _, s := range list {
		s.encode, s.priceIn = listingBody, priceField
	}
	if wanted(mlflow) {
		list = append(list, w.mlflowServer(t, right))
	}
	example := listinggen.New(listinggen.Options{Seed: 3, Complete: true}).Next()
	for _, s := range list {
		s.body = s.encode(t, &example, "")
		awaitAnswer(t, s)
	}
	return list
}

// mlflowServer serves the model folder with MLflow's own server and its defaults. It takes encoded features.
func (w *serveWorld) mlflowServer(t testing.TB, right func(*property.Listing) float64) *subject {
	t.Helper()
	host, port := freePort(t)
	pid := launch(t, w.python(t, "-m", "mlflow", "models", "serve", "--model-uri", w.folder, "--env-manager", "local", "--host", host, "--port", port))
	return &subject{
		name: mlflow, url: "http://" + net.JoinHostPort(host, port) + "/invocations", pid: pid, want: right,
		encode: func(t testing.TB, l *property.Listing, _ string) []byte {
			x, err := w.model.Schema.Encode(*l, asOfTime(t))
			require.NoError(t, err)
			body, err := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": w.model.Schema.Features, "data": [][]float64{x}}})
			require.NoError(t, err)
			return body
		},
		priceIn: func(t testing.TB, answer []byte) float64 {
			var a struct {
				Predictions []struct {
					Prediction float64 `json:"prediction"`
				} `json:"predictions"`
			}
			require.NoError(t, json.Unmarshal(answer, &a), "%s", answer)
			require.Len(t, a.Predictions, 1, "%s", answer)
			return a.Predictions[0].Prediction
		},
	}
}

func freePort(t testing.TB) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(testkit.FreeAddress(t))
	require.NoError(t, err)
	return host, port
}

func asOfTime(t testing.TB) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, asOf)
	require.NoError(t, err)
	return at
}

// listingBody is a listing as JSON, priced at an instant; an empty one leaves that to the server.
func listingBody(t testing.TB, l *property.Listing, asOf string) []byte {
	t.Helper()
	values := map[string]any{}
	for _, f := range property.Fields() {
		if f.Text != nil {
			values[f.Name] = f.Text(l).Value
		} else {
			values[f.Name] = *f.Number(l)
		}
	}
	if asOf != "" {
		values["as_of"] = asOf + "T00:00:00"
	}
	body, err := json.Marshal(values)
	require.NoError(t, err)
	return body
}

func priceField(t testing.TB, answer []byte) float64 {
	t.Helper()
	var a struct {
		Prediction *float64 `json:"prediction"`
	}
	require.NoError(t, json.Unmarshal(answer, &a), "%s", answer)
	require.NotNil(t, a.Prediction, "%s", answer)
	return *a.Prediction
}

// ask sends one body.
func (s *subject) ask(ctx context.Context, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// serveChecks is how many listings every server has to price rightly before it is measured.
const serveChecks = 100

// check compares the prices of listings with those of the model that was trained.
func (s *subject) check(t testing.TB) {
	t.Helper()
	g := listinggen.New(listinggen.Options{Seed: 5, Complete: true})
	for range serveChecks {
		l := g.Next()
		status, answer, err := s.ask(t.Context(), s.encode(t, &l, asOf))
		require.NoError(t, err, s.name)
		require.Equal(t, http.StatusOK, status, "%s: %s", s.name, answer)
		require.InEpsilon(t, s.want(&l), s.priceIn(t, answer), tolerance, "%s: %+v", s.name, l)
	}
}
