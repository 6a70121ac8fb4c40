//go:build verify

package tracking_test

import (
	"testing"

	"tasador/pkg/experiment/experimenttest"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// TestStockServerConformance runs the suite on MLflow's own server, so that the suite, and the client, say what MLflow does.
func TestStockServerConformance(t *testing.T) {
	client := trackingclient.New(testkit.StockMLflow(t), trackingclient.Options{})
	experimenttest.Run(t, func(*testing.T) experimenttest.Stores { return experimenttest.Stores{Tracking: client, Models: client} })
	t.Run("artifacts", func(t *testing.T) { transferArtifacts(t, client) })
}
