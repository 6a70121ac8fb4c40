package serving

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit/modeltest"
)

// recorded waits for the predictions of a request.
func (s *testServer) recorded(t *testing.T, id string, want int) []predictionstore.Record {
	t.Helper()
	var records []predictionstore.Record
	require.Eventually(t, func() bool {
		var err error
		records, err = s.role.store.ByRequest(t.Context(), id)
		return err == nil && len(records) == want
	}, 10*time.Second, 10*time.Millisecond)
	return records
}

// TestFeaturesAreRecordedAsAListingThatGivesThem sends encoded features, and encodes anew what was recorded of them.
func TestFeaturesAreRecordedAsAListingThatGivesThem(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	features := s.model.Schema.Features
	rows := [][]float64{{1.5, 2, 3, 400, 2000, 1}, {1.5, 2, 3, -1, 2000, 0}, {0.25, 1, 2, 0, 900, 0}}
	body, err := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": features, "data": rows}})
	require.NoError(t, err)
	a := s.post(t, invocationsPath, "application/json", string(body), "X-Request-Id", "encoded")
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.Equal(t, "7", a.Header.Get(headerModelVersion))
	prices := parsed[Predictions](t, a.body).Predictions
	for i, r := range s.recorded(t, "encoded", len(rows)) {
		x, err := s.model.Schema.Encode(r.Listing, r.AsOf)
		require.NoError(t, err)
		require.Equal(t, rows[i], x)
		require.Equal(t, prices[i].Prediction, r.Prediction)
	}
}

// TestAFrameOfCSVNamesWhatIsWrong sends CSV of which nobody can tell what it means.
func TestAFrameOfCSVNamesWhatIsWrong(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	features := strings.Join(s.model.Schema.Features, ",")
	for body, says := range map[string]string{
		"status,bed,bath,acre_lot,house_size,bed\nsold,3,2,1,2000,4\n":         "the CSV has two columns bed",
		features + ",days_since_last_sale\n1,2,3,4,5,6,7\n":                    "the CSV has two columns days_since_last_sale",
		"status,bed,bath,acre_lot,house_size\nsold,3,2,1,2000\nso\"ld,3,2,1,9": `row 2: the quotes of the row do not pair; put a field that holds quotes in quotes and double those in it: so\"ld,3,2,1,9`,
		"status,bed,bath,acre_lot,house_size\nsold,3,2,1,2000,5\n":             "row 1: the row has more than the 5 fields",
		"status\n" + strings.Repeat("x", maxRow+1):                             "row 1: the row is longer than 64 kB",
	} {
		a := s.post(t, invocationsPath, mimeCSV, body)
		require.Equal(t, http.StatusBadRequest, a.StatusCode, a.body)
		require.Contains(t, a.body, says)
	}
	for _, body := range []string{"status,bed,bath,acre_lot,house_size,note,note\nsold,3,2,1,2000,a,b\n", features + ",city,city\n1,2,3,4,5,1,a,b\n"} {
		require.Equal(t, http.StatusOK, s.post(t, invocationsPath, mimeCSV, body).StatusCode, "what is not used may come twice")
	}
}

// TestListingsAreCheckedInEveryProtocol holds that all of a request is refused, with the row and the field named, and nothing recorded.
func TestListingsAreCheckedInEveryProtocol(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	bad := `[{"status":"sold","bed":3,"bath":2,"acre_lot":1,"house_size":2000},{"status":"gone","bed":-3,"bath":2,"acre_lot":1}]`
	a := s.post(t, invocationsPath, "application/json", `{"dataframe_records":`+bad+`}`, "X-Request-Id", "bad")
	require.Equal(t, http.StatusBadRequest, a.StatusCode)
	e := parsed[MLflowError](t, a.body)
	require.Equal(t, "INVALID_PARAMETER_VALUE", e.ErrorCode)
	for _, says := range []string{"row 2: status: this must be one of", "row 2: bed: this must not be negative", "row 2: house_size: this field is required"} {
		require.Contains(t, e.Message, says)
	}
	a = s.post(t, oipInferPath, "application/json", `{"inputs":[{"name":"status","shape":[1],"datatype":"BYTES","data":["gone"]}]}`, "X-Request-Id", "bad")
	require.Equal(t, http.StatusBadRequest, a.StatusCode)
	require.Contains(t, parsed[OIPError](t, a.body).Error, "row 1: status: this must be one of")
	require.Empty(t, s.recorded(t, "bad", 0))
}

func TestProtocolsWithoutAModelSaySo(t *testing.T) {
	s := startServer(t, nil)
	for path, status := range map[string]int{
		"/ping": 404, "/health": 200, "/v2": 200, "/v2/health/live": 200, "/v2/health/ready": 503, "/v2/models": 200, "/v2/models/RealtorPriceModel": 503,
		"/v2/models/RealtorPriceModel/ready": 503, "/v2/models/other/ready": 404, "/v2/nothing": 404,
	} {
		a := s.send(t, http.MethodGet, path, nil)
		require.Equal(t, status, a.StatusCode, path)
	}
	a := s.post(t, invocationsPath, "application/json", `{"dataframe_records":[]}`)
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	require.Equal(t, "TEMPORARILY_UNAVAILABLE", parsed[MLflowError](t, a.body).ErrorCode)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	a = s.send(t, http.MethodGet, invocationsPath, nil)
	require.Equal(t, http.StatusMethodNotAllowed, a.StatusCode)
	require.NotEmpty(t, parsed[MLflowError](t, a.body).Message)
	a = s.send(t, http.MethodGet, "/version", nil)
	require.Equal(t, model.MLflowVersion(), a.body)
}
