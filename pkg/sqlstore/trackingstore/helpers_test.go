package trackingstore_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// engines make an empty database of each kind and return its URL.
func engines() map[string]func(t testing.TB) string {
	return map[string]func(t testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "tracking.db") },
		"postgres": func(t testing.TB) string { return testkit.Postgres(t).NewDatabase(t) },
	}
}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, store *trackingstore.Store)) {
	t.Helper()
	for name, database := range engines() {
		t.Run(name, func(t *testing.T) { test(t, open(t, database(t))) })
	}
}

func open(t testing.TB, url string) *trackingstore.Store {
	t.Helper()
	store, err := trackingstore.Open(t.Context(), url, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}
