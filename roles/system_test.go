package roles_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/testkit"
)

const example = `{"brokered_by": 74802, "status": "for_sale", "price": 394900, "bed": 3, "bath": 2, "acre_lot": 1.17, "street": 1589662,
	"city": "Crossville", "state": "Tennessee", "zip_code": 38571, "house_size": 2056, "prev_sold_date": "2021-12-01"}`

// TestThreeMachines runs each role as a process of its own, with a folder of its own; only RawData is shared, and the roles find
// each other over HTTP.
func TestThreeMachines(t *testing.T) {
	bin, raw := testkit.Build(t), "sqlite:"+filepath.Join(t.TempDir(), "rawdata.db")
	source := testkit.Start(t, bin, 1, "--role=source", "--data-dir", t.TempDir(), "--source.listen=127.0.0.1:0", "--source.batches=10500")
	tracking := testkit.Start(t, bin, 1, "--role=tracking", "--data-dir", t.TempDir(), "--tracking.listen=127.0.0.1:0")
	pipeline := testkit.Start(t, bin, 1, "--role=pipeline", "--data-dir", t.TempDir(), "--pipeline.listen=127.0.0.1:0", "--rawdata.url", raw,
		"--tracking.uri", tracking.Addresses["tracking"], "--source.uri", source.Addresses["source"], "--schedule.cron=none")
	serving := testkit.Start(t, bin, 1, "--role=serving", "--data-dir", t.TempDir(), "--serving.listen=127.0.0.1:0", "--rawdata.url", raw,
		"--tracking.uri", tracking.Addresses["tracking"], "--serving.follow=100ms")

	status, body := post(t, serving.Addresses["serving"]+"/predict", example)
	require.Equal(t, http.StatusServiceUnavailable, status, "before the first promotion: %s", body)
	require.Contains(t, body, "RealtorPriceModel", "the answer says what is missing")

	out, err := exec.Command(bin, "dags", "trigger", "realtor_price_model", "--run-id=three_machines", "--wait",
		"--pipeline-uri", pipeline.Addresses["pipeline"]).CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, pipeline.Log())

	require.Eventually(t, func() bool {
		status, body = post(t, serving.Addresses["serving"]+"/predict", example)
		return status == http.StatusOK
	}, 30*time.Second, 100*time.Millisecond, "the promotion reaches the running server: %s", serving.Log())
	var answer struct {
		Prediction   float64 `json:"prediction"`
		ModelVersion string  `json:"model_version"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, "1", answer.ModelVersion)
	require.InDelta(t, 400000, answer.Prediction, 400000, "a house costs what houses cost")

	for _, p := range []*testkit.Process{serving, pipeline, tracking, source} {
		p.Stop(t)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(raw, "sqlite:"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var rows, predictions int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM realtor_raw), (SELECT count(*) FROM predictions)").Scan(&rows, &predictions))
	require.Equal(t, []int{10500, 1}, []int{rows, predictions}, "rows and the answered prediction are in RawData")
}

func post(t *testing.T, address, body string) (int, string) {
	t.Helper()
	return send(t, http.MethodPost, address, http.Header{"Content-Type": {"application/json"}}, body)
}
