package roles_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/sqlstore"
	"tasador/roles"
)

// TestARoleRefusesASchemaThatIsNewer starts each role on a data folder one of whose databases a newer tasador has used.
func TestARoleRefusesASchemaThatIsNewer(t *testing.T) {
	for _, c := range []struct{ role, file, store string }{
		{config.RolePipeline, "pipeline.db", "dagrun"}, {config.RolePipeline, "rawdata.db", "dataset"}, {config.RolePipeline, "cleandata.db", "cleandata"},
		{config.RoleTracking, "tracking.db", "tracking"}, {config.RoleServing, "predictions.db", "prediction"},
	} {
		t.Run(c.file, func(t *testing.T) {
			cfg, err := config.Default()
			require.NoError(t, err)
			cfg.DataDir = t.TempDir()
			*cfg.Listen(c.role) = "127.0.0.1:0"
			cfg.Schedule.Cron = "none"
			db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(cfg.DataDir, c.file), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			require.NoError(t, sqlstore.Migrate(t.Context(), db, c.store))
			require.NoError(t, db.Exec("INSERT INTO schema_versions_"+c.store+" (version_id, is_applied) VALUES (99, 1)").Error)
			require.NoError(t, sqlstore.Close(db))
			err = roles.Run(t.Context(), cfg, []string{c.role}, slog.New(slog.DiscardHandler), func() { require.Fail(t, "it must not start") })
			require.ErrorContains(t, err, "the "+c.store+" database has schema version 99, but this tasador knows only ")
			require.ErrorContains(t, err, "run the newer tasador that made it")
		})
	}
}
