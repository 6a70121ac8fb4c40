package tracking_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/testkit"
	"tasador/roles/tracking"
)

// TestRefusedSettings: what cannot work is said at the start, in a sentence that names it.
func TestRefusedSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no database, and no folder either"), 0o600))
	good := func(name string) string { return filepath.Join(t.TempDir(), name) }
	for _, test := range []struct{ db, artifacts, names string }{
		{"sqlite:" + good("t.db"), "s3:///x", "write it as s3://bucket/prefix"},
		{"sqlite:" + good("t.db"), "ftp://host/x", "--artifacts.url=ftp://host/x is not understood; write it as file:PATH or s3://bucket/prefix"},
		{"sqlite:" + good("t.db"), "nonsense", "nonsense"},
		{"sqlite:" + good("t.db"), "file:", "file:PATH"},
		{"sqlite:" + good("t.db"), "file:" + filepath.Join(file, "below"), file},
		{"oracle://host/db", "file:" + good("a"), "oracle"},
		{"sqlite:" + filepath.Join(file, "t.db"), "file:" + good("a"), file},
		{"sqlite:" + file, "file:" + good("a"), file},
	} {
		cfg := &config.Config{}
		cfg.Tracking.DB, cfg.Artifacts.URL = test.db, test.artifacts
		ln := testkit.Listen(t)
		_, err := tracking.New(t.Context(), cfg, ln, slog.New(slog.DiscardHandler), nil)
		require.NoError(t, ln.Close())
		require.Error(t, err, "%+v", test)
		require.Contains(t, []apperror.Code{apperror.Invalid, apperror.Unavailable}, apperror.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, test.names)
	}
}

// TestKeepsWhatItWasGiven stops the role and starts it again on the same folder.
func TestKeepsWhatItWasGiven(t *testing.T) {
	var runID string
	cfg := newConfig(t)
	t.Run("first", func(t *testing.T) {
		client := startWith(t, cfg).client()
		run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0", Name: "kept"})
		require.NoError(t, err)
		runID = run.ID
	})
	t.Run("second", func(t *testing.T) {
		run, err := startWith(t, cfg).client().Run(t.Context(), runID)
		require.NoError(t, err)
		require.Equal(t, "kept", run.Name)
	})
}
