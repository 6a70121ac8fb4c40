package roles_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// TestServingFollowsAStockMLflowServer runs pipeline and serving against MLflow's own server: the DAG registers and promotes there, and serving
// loads what is in Production there, answers with it, and follows a promotion made by others.
func TestServingFollowsAStockMLflowServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	uri := testkit.StockMLflow(t)
	s := startStack(t, func(cfg *config.Config) {
		cfg.Tracking.URI, cfg.Source.Batches = uri, "1500,1500,rest"
	}, config.RoleSource, config.RolePipeline, config.RoleServing)
	missingBeforePromotion(t, s)

	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	requirePriced(t, s, "1")
	s.runDAG(t, "second")
	models := trackingclient.New(uri, trackingclient.Options{})
	for _, version := range []string{"2", "1"} { // whichever the second DAG run left there
		_, err := models.TransitionStage(t.Context(), "RealtorPriceModel", version, registry.Production, true)
		require.NoError(t, err)
		s.waitForVersion(t, version)
		requirePriced(t, s, version)
	}
	// The page gives the stock server three seconds for the history, and that may take longer where others use the machine too: then it says so, and is asked again.
	require.Eventually(t, func() bool {
		status, body := get(t, s.serving("/"))
		require.Equal(t, http.StatusOK, status)
		return strings.Contains(body, ">first<") && strings.Contains(body, ">second<") && !strings.Contains(body, "does not answer")
	}, time.Minute, 100*time.Millisecond, "the history, which the stock server keeps")
}

// requirePriced asks for the price of the example and wants that of the version's own model.
func requirePriced(t *testing.T, s *stack, version string) {
	t.Helper()
	status, body := post(t, s.serving("/predict"), with(t, map[string]any{"as_of": "2026-02-03"}))
	require.Equal(t, http.StatusOK, status, body)
	var got predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, version, got.ModelVersion)
	want, err := s.servedModel(t, version).Predict(model.Example(), got.AsOf)
	require.NoError(t, err)
	require.InDelta(t, want.Price, got.Prediction, 0)
}
