package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Prometheus is a running server of Debian's package.
type Prometheus struct{ URL string }

// StartPrometheus runs a server with a configuration until the test ends, in a folder of its own.
func StartPrometheus(t testing.TB, address, configFile string) *Prometheus {
	t.Helper()
	me := account{}
	dir := t.TempDir()
	d := me.start(t, dir, program(t, "prometheus"), "--config.file="+configFile, "--storage.tsdb.path="+dir, "--web.listen-address="+address, "--log.level=warn")
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("the log of Prometheus:\n%s", d.log)
		}
	})
	d.answers(t, address)
	return &Prometheus{URL: "http://" + address}
}

// Promtool runs Debian's promtool in a folder. It returns what that printed, and whether it was content.
func Promtool(t testing.TB, dir string, args ...string) (output string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// Query evaluates an expression now and returns how many of the resulting samples are numbers. The error says what Prometheus did not understand.
func (p *Prometheus) Query(ctx context.Context, expression string) (samples int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/v1/query?query="+url.QueryEscape(expression), http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	var answer struct {
		Error string
		Data  struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("the answer of Prometheus: %w", err)
	}
	if answer.Error != "" {
		return 0, fmt.Errorf("%s: %s", expression, answer.Error)
	}
	if answer.Data.ResultType == "scalar" {
		return 1, nil
	}
	var series []struct{ Value [2]any }
	if err := json.Unmarshal(answer.Data.Result, &series); err != nil {
		return 0, fmt.Errorf("the answer of Prometheus: %w", err)
	}
	for _, s := range series {
		text, _ := s.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			samples++
		}
	}
	return samples, nil
}
