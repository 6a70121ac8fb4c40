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
	after, err := os.ReadFile(state)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the second source must not touch the state of the first")

	s.stop()
	again := startStack(t, func(cfg *config.Config) { cfg.DataDir = s.cfg.DataDir }, config.RoleNames()...)
	again.stop()
}
