package demo

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
)

func TestAnInterruptedDemonstrationLeavesNoFolder(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, Options{
		Out: io.Discard, Err: io.Discard,
		RunRoles: func(ctx context.Context, _ *config.Config, _ []string, _ *slog.Logger, _ func()) error {
			entries, err := os.ReadDir(tmp)
			require.NoError(t, err)
			require.Len(t, entries, 1, "the servers have a folder while they run")
			cancel()
			<-ctx.Done()
			return nil
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, entries)
}
