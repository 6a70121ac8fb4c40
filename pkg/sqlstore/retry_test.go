package sqlstore_test

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

// TestDeadlocksAreRetried lets two transactions take two rows crosswise, so that the server ends one of them: both succeed in the end.
func TestDeadlocksAreRetried(t *testing.T) {
	for name, url := range map[string]string{"postgres": testkit.Postgres(t).NewDatabase(t), "mariadb": testkit.MariaDB(t).NewDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			defer func() { require.NoError(t, sqlstore.Close(db)) }()
			require.NoError(t, db.Exec("CREATE TABLE t (id INT PRIMARY KEY, n INT)").Error)
			require.NoError(t, db.Exec("INSERT INTO t VALUES (0, 0), (1, 0)").Error)
			var both, wg sync.WaitGroup
			both.Add(2)
			tries := make(chan int, 100)
			for first := range 2 {
				wg.Go(func() {
					var met sync.Once
					err := sqlstore.InRetriedTx(t.Context(), db, func(tx *gorm.DB) error {
						tries <- first
						if err := tx.Exec("UPDATE t SET n = n + 1 WHERE id = ?", first).Error; err != nil {
							return err
						}
						met.Do(func() { both.Done(); both.Wait() }) // the first time each has its row before it wants the other's
						return tx.Exec("UPDATE t SET n = n + 1 WHERE id = ?", 1-first).Error
					})
					assert.NoError(t, err)
				})
			}
			wg.Wait()
			require.Len(t, tries, 3, "one of two ran again")
			var sum int
			require.NoError(t, db.Raw("SELECT SUM(n) FROM t").Scan(&sum).Error)
			require.Equal(t, 4, sum)
		})
	}
}

// TestOtherErrorsAreNotRetried: what would fail again runs once.
func TestOtherErrorsAreNotRetried(t *testing.T) {
	db, err := sqlstore.Open(t.Context(), testkit.Postgres(t).NewDatabase(t), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	runs := 0
	err = sqlstore.InRetriedTx(t.Context(), db, func(tx *gorm.DB) error {
		runs++
		return tx.Exec("SELECT ?::text", "a\x00b").Error
	})
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%v", err)
	require.Equal(t, 1, runs)
}
