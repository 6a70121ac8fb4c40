package roles_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/roles"
)

func TestARoleRunsOnceOnADataFolder(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	state := filepath.Join(s.cfg.DataDir, "source.json")
	before, err := os.ReadFile(state)
	require.NoError(t, err)
	for _, name := range config.RoleNames() {
		cfg := *s.cfg
		*cfg.Listen(name) = "127.0.0.1:0"
		cfg.Source.Batches = "5"
		err := roles.Run(t.Context(), &cfg, []string{name}, slog.New(slog.DiscardHandler), func() {
			require.Fail(t, "two processes run "+name)
		})
		require.ErrorContains(t, err, "another")
		require.ErrorContains(t, err, filepath.Join(s.cfg.DataDir, name+".lock"))
		require.NotContains(t, err.Error(), "SQLITE")
	}
	// Another database does not make two of one folder, whose payloads and temporary files they would share.
	elsewhere := *s.cfg
	elsewhere.Pipeline.DB = "sqlite:" + filepath.Join(t.TempDir(), "other.db")
	elsewhere.Pipeline.Listen = "127.0.0.1:0"
	err = roles.Run(t.Context(), &elsewhere, []string{config.RolePipeline}, slog.New(slog.DiscardHandler), func() { require.Fail(t, "two pipelines share a folder") })
	require.ErrorContains(t, err, "another process already runs the role pipeline on the data folder "+s.cfg.DataDir)
	for _, name := range []string{config.RolePipeline, config.RoleTracking, config.RoleServing} {
		_, err := roles.Hold(t.Context(), s.cfg, []string{name})
		require.ErrorContains(t, err, "another", "schemas are not changed under a role that runs")
	}
	after, err := os.ReadFile(state)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the second source must not touch the state of the first")

	s.stop()
	release, err := roles.Hold(t.Context(), s.cfg, config.RoleNames())
	require.NoError(t, err)
	err = roles.Run(t.Context(), s.cfg, []string{config.RoleTracking}, slog.New(slog.DiscardHandler), func() { require.Fail(t, "it is held") })
	require.ErrorContains(t, err, "another process already runs the role tracking")
	require.NoError(t, release())
	again := startStack(t, func(cfg *config.Config) { cfg.DataDir = s.cfg.DataDir }, config.RoleNames()...)
	again.stop()
}
