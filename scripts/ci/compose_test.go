package ci_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"tasador/pkg/testkit"
)

// TestComposeTakesItsImageAndSecretsFromFiles lets the program that would start the services read them, with a value for each secret of the example.
func TestComposeTakesItsImageAndSecretsFromFiles(t *testing.T) {
	root := testkit.ModuleRoot(t)
	read := func(file string) string {
		b, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		return string(b)
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deploy"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "deploy", "compose.yaml"), []byte(read("deploy/compose.yaml")), 0o600))
	image := read("deploy/.env")
	var secrets strings.Builder
	for line := range strings.Lines(read("deploy/secrets.env.example")) {
		if name, found := strings.CutSuffix(line, "=\n"); found {
			secrets.WriteString(name + "=value-of-" + strings.ToLower(name) + "\n")
		}
	}
	// This version of the program reads one file of variables.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "deploy", ".env"), []byte(image+secrets.String()), 0o600))
	text := run(t, filepath.Join(dir, "deploy"), "docker-compose", "config")
	var services struct {
		Services map[string]struct {
			Image       string
			Environment map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &services))
	require.Equal(t, "tasador:dev", services.Services["pipeline"].Image)
	require.Equal(t, "value-of-auth_token", services.Services["pipeline"].Environment["TASADOR_AUTH_TOKEN"])
	settings := read("docs/settings.md")
	for name := range services.Services["pipeline"].Environment {
		require.Contains(t, settings, "`"+name+"`", "compose.yaml sets what is no setting")
	}

	require.NoError(t, os.WriteFile(filepath.Join(dir, "deploy", ".env"), []byte(image), 0o600))
	require.NotZero(t, try(t, filepath.Join(dir, "deploy"), nil, "docker-compose", "config").code, "a secret that is missing is told before anything starts")
}
