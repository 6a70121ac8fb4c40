package sqlstore_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

func TestTheProbeLeavesADatabaseAlone(t *testing.T) {
	path, db := table(t)
	require.NoError(t, sqlstore.NewProbe(db, "t", "a").Check(t.Context()))
	require.NoError(t, sqlstore.InTx(t.Context(), db, func(tx *gorm.DB) error {
		// Whoever writes for long, as a bulk load, shows that it can be written.
		require.NoError(t, sqlstore.NewProbe(db, "t", "a").Check(t.Context()))
		return tx.Exec("INSERT INTO t VALUES (1)").Error
	}))
	require.NoError(t, db.Exec("INSERT INTO t VALUES (2)").Error)
	names, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Subset(t, []string{path, path + "-wal", path + "-shm"}, names)
}

func TestTheProbeFindsAFileThatIsNotTheOneThatWasOpened(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			other, err := os.ReadFile(path)
			if err == nil {
				err = os.Rename(path, path+".old")
			}
			if err == nil {
				err = os.WriteFile(path, other, 0o600)
			}
			return err
		},
	} {
		path, db := table(t)
		probe := sqlstore.NewProbe(db, "t", "a")
		require.NoError(t, change(path))
		err := probe.Check(t.Context())
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), what)
		require.Equal(t, "the file of the database "+path+" was removed or replaced while it was in use; put the right one there, then restart this process", apperror.MessageOf(err), what)
	}
}

// table opens a database with a table.
func table(t *testing.T) (path string, db *gorm.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "some.db")
	db, err := sqlstore.Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sqlstore.Close(db)) })
	require.NoError(t, db.Exec("CREATE TABLE t (v BLOB)").Error)
	return path, db
}
