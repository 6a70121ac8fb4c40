package roles_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

// TestPythonLoadsTheModelInProduction lets the DAG train and promote a model, lets MLflow load it from the registry of our tracking
// server, and compares its price of every listing with the one that serving answers: of generated listings, or of those in the
// file that TEST_CSV names. A gap is sent to serving as it counts in the model, as 0, because /predict insists on a number.
func TestPythonLoadsTheModelInProduction(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	file := modeltest.File(t, 21, 1000)
	const asOf = "2026-03-04 05:06:07"

	cmd := exec.Command(testkit.Venv(t, "python"), "pkg/model/testdata/predict.py", "models:/RealtorPriceModel/Production", file, asOf) // #nosec G204 -- a test
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.cfg.Tracking.URI, "MLFLOW_DISABLE_TELEMETRY=true", "TMPDIR="+t.TempDir())
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	var prices struct {
		Ordered, Shuffled []float64
	}
	require.NoError(t, json.Unmarshal(out, &prices), string(out))

	listings := listingsToAsk(t, file)
	require.Len(t, prices.Ordered, len(listings))
	begin := time.Now()
	for i, listing := range listings {
		listing["as_of"] = asOf
		body, err := json.Marshal(listing)
		require.NoError(t, err)
		status, answer := post(t, s.serving("/predict"), string(body))
		require.Equal(t, http.StatusOK, status, "row %d: %s %s", i, body, answer)
		var got predictAnswer
		require.NoError(t, json.Unmarshal([]byte(answer), &got))
		require.InEpsilonf(t, prices.Ordered[i], got.Prediction, 1e-9, "row %d: %s", i, body)
	}
	t.Logf("%d predictions in %s", len(listings), time.Since(begin))
	require.Equal(t, prices.Ordered, prices.Shuffled)
	s.requireRecorded(t, int64(len(listings)))
}

// listingsToAsk reads a CSV with a header as JSON requests.
func listingsToAsk(t *testing.T, file string) []map[string]any {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var listings []map[string]any
	for _, record := range records[1:] {
		listing := map[string]any{}
		for i, name := range records[0] {
			switch name {
			case property.Bed, property.Bath, property.AcreLot, property.HouseSize:
				v, err := strconv.ParseFloat(record[i], 64)
				if err != nil {
					v = 0
				}
				listing[name] = v
			case property.Status, property.PrevSoldDate:
				listing[name] = record[i]
			}
		}
		listings = append(listings, listing)
	}
	return listings
}
