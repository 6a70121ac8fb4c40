package trackingstore_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment/experimenttest"
	"tasador/pkg/sqlstore/trackingstore"
)

func open(t *testing.T) *trackingstore.Store {
	t.Helper()
	store, err := trackingstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tracking.db"), "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestConformance(t *testing.T) {
	store := open(t)
	experimenttest.Run(t, func(*testing.T) experimenttest.Stores { return experimenttest.Stores{Tracking: store, Models: store} })
}
