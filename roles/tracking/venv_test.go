package tracking_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "there is no go.mod above the test")
		dir = parent
	}
}

// venv returns a program of the Python environment that the tests use.
func venv(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(moduleRoot(t), ".cache", "venv", "bin", program)
	_, err := os.Stat(path)
	require.NoError(t, err, "the Python packages are missing; run make test: it installs them")
	return path
}
