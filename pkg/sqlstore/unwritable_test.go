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

// TestADatabaseThatCannotBeWrittenIsNamed lets SQLite itself refuse: no more pages, and no writes.
func TestADatabaseThatCannotBeWrittenIsNamed(t *testing.T) {
	for pragma, says := range map[string]string{
		"PRAGMA max_page_count = 2": " is full; make space, then try again",
		"PRAGMA query_only = 1":     " is read-only; make the file and its folder writable, then try again",
	} {
		path := filepath.Join(t.TempDir(), "some.db")
		db, err := sqlstore.Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		pool, err := sqlstore.Pool(db)
		require.NoError(t, err)
		pool.SetMaxOpenConns(1) // pragmas are of a connection
		require.NoError(t, db.Exec("CREATE TABLE t (v BLOB)").Error)
		require.NoError(t, db.Exec(pragma).Error)

		byGorm := db.Exec("INSERT INTO t VALUES (zeroblob(100000))").Error
		byDriver := sqlstore.InTx(t.Context(), db, func(tx *gorm.DB) error {
			_, err := tx.Statement.ConnPool.ExecContext(t.Context(), "INSERT INTO t VALUES (zeroblob(100000))")
			return err
		})
		for _, err := range []error{byGorm, byDriver} {
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%v", err)
			require.Contains(t, apperror.MessageOf(err), path+says)
		}
		require.NoError(t, sqlstore.Close(db))
	}
}

func TestAFileThatWasMovedIsNotMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.db")
	db, err := sqlstore.Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sqlstore.Close(db)) })
	require.NoError(t, db.Exec("CREATE TABLE t (v INTEGER)").Error)
	require.NoError(t, sqlstore.Ping(t.Context(), db))
	require.NoError(t, os.Rename(path, path+"-moved"))
	err = sqlstore.Ping(t.Context(), db)
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), path+" was removed or replaced while it was in use; put the right one there")
	pool, err := sqlstore.Pool(db)
	require.NoError(t, err)
	pool.SetMaxIdleConns(0) // so that the next statement connects anew
	err = db.Exec("SELECT * FROM t").Error
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%v", err)
	require.Contains(t, apperror.MessageOf(err), path+" cannot be opened; check that the file is there")
	require.NoFileExists(t, path)
	require.NoError(t, os.Rename(path+"-moved", path))
	require.NoError(t, sqlstore.Ping(t.Context(), db))
}
