package trackingstore_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// engines are the databases in which the store can be kept.
func engines() []string { return migrations.Dialects("tracking") }

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, store *trackingstore.Store)) {
	t.Helper()
	testkit.OnEach(t, engines(), func(t *testing.T, url string) { test(t, open(t, url)) })
}

func open(t testing.TB, url string) *trackingstore.Store {
	t.Helper()
	store, err := trackingstore.Open(t.Context(), url, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}
