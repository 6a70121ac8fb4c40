package packages_test

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"tasador/pkg/testkit"
)

// dist is a folder with a release, whose packages and image are tested instead of ones made here.
var dist = flag.String("packages.dist", "", "folder of a release to test")

// placeholder stands for the binary where only what is around it matters.
const placeholder = "/bin/true"

const nfpm = "nfpm-v2.45.2"

// tool returns a program that the Makefile installs.
func tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(testkit.ModuleRoot(t), ".cache", "bin", name)
	require.FileExists(t, path, "%s is missing; run make test: it installs it", name)
	return path
}

// binary compiles tasador with a version as a release does, apart from what would compile all it consists of anew.
func binary(t testing.TB, version string) string {
	t.Helper()
	path := filepath.Join(kept, "tasador-"+version)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	require.NoError(t, os.Rename(testkit.Build(t, "-ldflags=-s -w -X tasador/pkg/observability.version="+version), path))
	return path
}

// nfpmKeys are the keys of nfpm that are called otherwise in goreleaser's configuration, or nothing.
var nfpmKeys = map[string]string{"package_name": "name", "dependencies": "depends", "id": "", "ids": "", "formats": "", "file_name_template": "", "bindir": ""}

// makePackage builds a package (deb or rpm) of a binary from the section nfpms of the release's configuration. replace puts other files in the place of some.
func makePackage(t testing.TB, format, version, bin string, replace map[string]string) string {
	t.Helper()
	root := testkit.ModuleRoot(t)
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	require.NoError(t, err)
	var release struct {
		NFPMs []map[string]any `yaml:"nfpms"`
	}
	require.NoError(t, yaml.Unmarshal(text, &release))
	require.Len(t, release.NFPMs, 1)
	config := map[string]any{"arch": "amd64", "platform": "linux", "version": version}
	maps.Copy(config, release.NFPMs[0])
	for theirs, ours := range nfpmKeys {
		if value, found := config[theirs]; found && ours != "" {
			config[ours] = value
		}
		delete(config, theirs)
	}
	if bin != placeholder {
		config["deb"] = map[string]any{"compression": "none"} // saves the time
	}
	config["mtime"] = "2026-01-01T00:00:00Z"
	contents, ok := config["contents"].([]any)
	require.True(t, ok)
	for _, c := range contents {
		content, ok := c.(map[string]any)
		require.True(t, ok)
		if other, found := replace[content["dst"].(string)]; found {
			content["src"] = other
		}
	}
	config["contents"] = append(contents, map[string]any{"src": bin, "dst": "/usr/bin/tasador", "file_info": map[string]any{"mode": 0o755}})

	dir := t.TempDir()
	text, err = yaml.Marshal(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nfpm.yaml"), text, 0o600))
	target := filepath.Join(dir, "tasador."+format)
	cmd := exec.Command(tool(t, nfpm), "package", "--config", filepath.Join(dir, "nfpm.yaml"), "--packager", format, "--target", target)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return target
}

// released returns the package of this machine that the release in dist has, or makes one.
func released(t testing.TB, format, version string) string {
	t.Helper()
	if *dist == "" {
		return makePackage(t, format, version, binary(t, version), nil)
	}
	found, err := filepath.Glob(filepath.Join(*dist, map[string]string{"deb": "*_amd64.deb", "rpm": "*.x86_64.rpm"}[format]))
	require.NoError(t, err)
	require.Len(t, found, 1, "%s in %s", format, *dist)
	return found[0]
}
