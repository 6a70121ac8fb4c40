// Package ci_test runs what the workflows run: their scripts, against real repositories and a real registry, and the checks of the workflows themselves.
package ci_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// tool is the path of a program that make test builds.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(testkit.ModuleRoot(t), ".cache", "bin", name)
	require.FileExists(t, path, "a tool of the tests is missing; run make test: it builds it")
	return path
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// try runs a command in dir with more variables (NAME=value).
func try(t *testing.T, dir string, env []string, name string, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), name)
	}
	return outcome{cmd.ProcessState.ExitCode(), strings.TrimSpace(stdout.String()), strings.TrimSpace(stderr.String())}
}

// run is try for what has to succeed. It returns what was printed.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	o := try(t, dir, nil, name, args...)
	require.Zero(t, o.code, "%s %v: %s", name, args, o.stderr)
	return o.stdout
}
