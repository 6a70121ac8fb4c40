package testkit

import (
	"path/filepath"
	"testing"
)

// Engines are kinds of databases. The names are those of the folders of migrations.
const (
	SQLiteEngine   = "sqlite"
	MySQLEngine    = "mysql"
	PostgresEngine = "postgres"
)

// NewDatabase makes an empty database of an engine that is gone when the test ends, and returns its URL.
func NewDatabase(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case PostgresEngine:
		return Postgres(t).NewDatabase(t)
	case MySQLEngine:
		return MariaDB(t).NewDatabase(t)
	default:
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	}
}

// OnEach runs a test on an empty database of each of the engines, whose URL it gets; with -short only on SQLite.
func OnEach(t *testing.T, engines []string, test func(t *testing.T, url string)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			if testing.Short() && engine != SQLiteEngine {
				t.Skip("needs a server")
			}
			test(t, NewDatabase(t, engine))
		})
	}
}
