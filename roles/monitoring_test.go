package roles_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// question is an expression that must have a value, and where it stands.
type question struct{ place, expr string }

// foreseen are series that no test can make happen; without the matcher they must be there all the same.
var foreseen = strings.NewReplacer(`{status="500"}`, ``)

// TestMonitoringHasData runs all roles under traffic with Debian's Prometheus beside them, configured as deploy/prometheus is but faster, and asks it every
// expression of every panel and every rule: each has a value, and so has each series that is named in it. An unknown metric is found.
func TestMonitoringHasData(t *testing.T) {
	s := startStack(t, func(cfg *config.Config) {
		cfg.Serving.Shadow, cfg.Serving.Challenger, cfg.Serving.ChallengerShare = "1", "1", 0.2
		cfg.Schedule.Cron = "@daily"
	}, config.RoleNames()...)
	authority := testkit.NewAuthority(t)
	pair := authority.Issue(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
	secured := startStack(t, func(cfg *config.Config) { cfg.HTTP.TLSCert, cfg.HTTP.TLSKey = pair.Cert, pair.Key }, config.RoleSource)
	prometheus := startMonitoring(t, s, secured, authority)
	make503s(t, s)
	s.runDAG(t, "monitored")
	s.waitForVersion(t, "1")
	traffic(t, s)

	asked := slices.Concat(scrapesAsked(), rulesAsked(t), panelsAsked(t))
	t.Logf("%d expressions and series", len(asked))
	var without []string
	require.Eventually(t, func() bool {
		asked, without = withoutData(t, prometheus, asked)
		return len(asked) == 0
	}, 3*time.Minute, time.Second, "%s", later(func() string { return "without data:\n" + strings.Join(without, "\n") }))

	for _, broken := range []question{
		{"a metric that does not exist", "sum(rate(tasador_prices_total" + testRange + "))"},
		{"a label that does not exist", `tasador_drift_psi{windows="1h"}`},
		{"a function that does not exist", "sums(up)"},
	} {
		left, _ := withoutData(t, prometheus, []question{broken})
		require.Len(t, left, 1, broken.place)
	}
}

// later is a text that is made when it is needed.
type later func() string

func (l later) String() string { return l() }

// withoutData returns the questions to which Prometheus has no value, and why.
func withoutData(t *testing.T, prometheus *testkit.Prometheus, asked []question) (left []question, why []string) {
	t.Helper()
	for _, q := range asked {
		n, err := prometheus.Query(t.Context(), q.expr)
		switch {
		case err != nil:
			why = append(why, q.place+": "+err.Error())
		case n == 0:
			why = append(why, q.place+": no data: "+q.expr)
		default:
			continue
		}
		left = append(left, q)
	}
	return left, why
}

// withSelectors adds the series that expressions read.
func withSelectors(questions []question) []question {
	all, seen := slices.Clone(questions), map[string]bool{}
	for _, q := range questions {
		for _, one := range selectors(q.expr) {
			if one = foreseen.Replace(one); !seen[one] {
				seen[one] = true
				all = append(all, question{q.place, "count(" + one + ")"})
			}
		}
	}
	return all
}

// scrapesAsked is whether every job reads its servers, and no request is counted by two of them.
func scrapesAsked() []question {
	asked := []question{{"original metrics are read once", "count(inference_requests_total) == 1"}}
	for _, job := range append([]string{"prometheus", "fastapi_inference"}, config.RoleNames()...) {
		asked = append(asked, question{"the job " + job, `min(up{job="` + job + `"}) == 1`})
	}
	return asked
}

func rulesAsked(t *testing.T) []question {
	t.Helper()
	var asked []question
	for _, r := range readRules(t, deployFiles(t, "prometheus/rules/*.yml")) {
		expr := shortened(r.Expr)
		if r.Alert != "" {
			expr = foreseen.Replace(compared(expr))
		}
		asked = append(asked, question{r.Alert + r.Record, expr})
		if r.Record != "" {
			asked = append(asked, question{r.Record, r.Record})
		}
	}
	return withSelectors(asked)
}

func panelsAsked(t *testing.T) []question {
	t.Helper()
	var asked []question
	for file, d := range readDashboards(t) {
		for _, v := range d.Templating.List {
			if of := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition); of != nil {
				asked = append(asked, question{file + ": $" + v.Name, "group by (" + of[2] + ") (" + of[1] + ")"})
			} else {
				require.Contains(t, []string{"datasource", "custom"}, v.Type, "%s: $%s", file, v.Name)
			}
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				expr := filled(d, target.Expr)
				require.NotContains(t, expr, "$", "%s: %s: a variable is not known", file, p.Title)
				asked = append(asked, question{file + ": " + p.Title, expr})
			}
		}
	}
	return withSelectors(asked)
}

// startMonitoring runs Prometheus on a copy of deploy/prometheus that names the servers of s, and the source of secured, which speaks HTTPS, and asks them
// every second.
func startMonitoring(t *testing.T, s, secured *stack, authority *testkit.Authority) *testkit.Prometheus {
	t.Helper()
	dir, address := filepath.Join(t.TempDir(), "prometheus"), testkit.FreeAddress(t)
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(testkit.ModuleRoot(t), "deploy", "prometheus"))))
	change := func(file string, by func(string) string) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		changed := by(string(content))
		require.NotEqual(t, string(content), changed, file)
		require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	}
	change(filepath.Join(dir, "prometheus.yml"), strings.NewReplacer("_interval: 15s", "_interval: 1s", "timeout: 10s", "timeout: 1s",
		"job_name: source\n", "job_name: source\n    tls_config: {ca_file: "+authority.File+"}\n").Replace)
	for _, file := range []string{"objectives", "roles", "original"} {
		change(filepath.Join(dir, "rules", file+".yml"), func(text string) string { return lasting.ReplaceAllString(shortened(text), "$1 0s") })
	}
	targets := map[string]string{"prometheus": "- targets: [" + address + "]\n"}
	for _, role := range config.RoleNames() {
		targets[role] = "- targets: [" + *s.cfg.Listen(role) + "]\n"
	}
	targets[config.RoleSource] += "- targets: [" + secured.cfg.Source.Listen + "]\n  labels: {__scheme__: https}\n"
	for name, text := range targets {
		change(filepath.Join(dir, "targets", name+".yml"), func(string) string { return text })
	}
	return testkit.StartPrometheus(t, address, filepath.Join(dir, "prometheus.yml"))
}

// make503s lets serving and tracking fail as they do in an outage: there is no model yet, and the folder of the artifacts is not one.
func make503s(t *testing.T, s *stack) {
	t.Helper()
	status, body := post(t, s.serving("/predict"), example)
	require.Equal(t, http.StatusServiceUnavailable, status, body)

	artifacts := filepath.Join(s.cfg.DataDir, "artifacts")
	require.NoError(t, os.Rename(artifacts, artifacts+".away"))
	require.NoError(t, os.WriteFile(artifacts, nil, 0o600))
	status, body = send(t, http.MethodPut, "http://"+s.cfg.Tracking.Listen+"/api/2.0/mlflow-artifacts/artifacts/1/a.txt", nil, "a")
	require.GreaterOrEqual(t, status, http.StatusInternalServerError, body)
	require.NoError(t, os.Remove(artifacts))
	require.NoError(t, os.Rename(artifacts+".away", artifacts))
}

// traffic asks the roles over every protocol until the test ends, right and wrong, and tells sale prices.
func traffic(t *testing.T, s *stack) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	t.Cleanup(func() { stop(); ended.Wait() })
	many := "[" + strings.TrimSuffix(strings.Repeat(example+",", 300), ",") + "]"
	status, body := send(t, http.MethodPost, s.serving("/predict"), http.Header{"X-Request-Id": {"sold"}}, many)
	require.Equal(t, http.StatusOK, status, body)
	frame := `{"dataframe_split": {"columns": ["status", "bed", "bath", "acre_lot", "house_size"], "data": [["for_sale", 3, 2, 1.17, 2056]]}}`
	tensors := `{"inputs": [{"name": "status", "shape": [1], "datatype": "BYTES", "data": ["for_sale"]}`
	for _, name := range []string{"bed", "bath", "acre_lot", "house_size"} {
		tensors += `, {"name": "` + name + `", "shape": [1], "datatype": "FP64", "data": [2]}`
	}
	form := url.Values{"status": {"for_sale"}, "bed": {"3"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"2000"}}.Encode()
	tracking, pipeline := "http://"+s.cfg.Tracking.Listen, "http://"+s.cfg.Pipeline.Listen
	requests := []struct{ method, address, kind, body string }{
		{http.MethodPost, s.serving("/predict"), "application/json", example},
		{http.MethodPost, s.serving("/predict"), "application/json", `{"bed": -1}`},
		{http.MethodPost, s.serving("/predict/batch"), "application/x-ndjson", strings.ReplaceAll(example, "\n", "") + "\n{\"bed\": -1}\n"},
		{http.MethodPost, s.serving("/invocations"), "application/json", frame},
		{http.MethodPost, s.serving("/v2/models/RealtorPriceModel/infer"), "application/json", tensors + "]}"},
		{http.MethodPost, s.serving("/"), "application/x-www-form-urlencoded", form},
		{http.MethodPost, tracking + "/api/2.0/mlflow/runs/search", "application/json", `{"experiment_ids": ["0"]}`},
		{http.MethodGet, pipeline + "/api/v2/dags", "", ""},
	}
	ended.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			for _, r := range requests {
				knock(ctx, r.method, r.address, r.kind, r.body)
			}
			if i < 100 {
				knock(ctx, http.MethodPost, s.serving("/feedback"), "application/json", fmt.Sprintf(`{"request_id": "sold", "item": %d, "sale_price": 380000}`, i))
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond): // between two rounds, so that others have the processor
			}
		}
	})
}

func knock(ctx context.Context, method, address, kind, body string) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", kind)
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close() // what is answered is for other tests
	}
}
