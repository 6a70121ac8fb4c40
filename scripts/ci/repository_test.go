package ci_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// repository is a clone of a repository that holds this tree's scripts, manifests and a few files of code.
type repository struct {
	t   *testing.T
	dir string
}

// newRepository returns a clone and what it was cloned from.
func newRepository(t *testing.T) (repository, string) {
	t.Helper()
	origin := filepath.Join(t.TempDir(), "origin.git")
	run(t, ".", "git", "init", "--quiet", "--bare", "--initial-branch=main", origin)
	r := clone(t, origin)
	root := testkit.ModuleRoot(t)
	for _, dir := range []string{"scripts/ci", "k8s/overlays", "k8s/base", "k8s/components", "deploy"} {
		require.NoError(t, os.CopyFS(filepath.Join(r.dir, dir), os.DirFS(filepath.Join(root, dir))))
	}
	for _, file := range []string{"main.go", "pkg/ridge/fit.go", "pkg/ridge/fit_test.go", "web/static/app.css", "docs/pages.md", "README.md"} {
		r.write(file, "as it was")
	}
	r.commit("Begin")
	r.git("push", "--quiet", "origin", "main")
	return r, origin
}

func clone(t *testing.T, origin string) repository {
	t.Helper()
	r := repository{t, filepath.Join(t.TempDir(), "clone")}
	run(t, ".", "git", "clone", "--quiet", origin, r.dir)
	for key, value := range map[string]string{"user.name": "tester", "user.email": "tester@tasador.invalid", "commit.gpgsign": "false"} {
		r.git("config", key, value)
	}
	r.git("checkout", "--quiet", "-B", "main")
	return r
}

func (r repository) git(args ...string) string { r.t.Helper(); return run(r.t, r.dir, "git", args...) }

func (r repository) write(file, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, file)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
}

func (r repository) read(file string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, file))
	require.NoError(r.t, err)
	return string(b)
}

// commit commits all changes and returns its hash.
func (r repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", message)
	return r.head()
}

func (r repository) head() string { r.t.Helper(); return r.git("rev-parse", "HEAD") }

// change commits a change of one file.
func (r repository) change(file string) string {
	r.t.Helper()
	r.write(file, r.read(file)+"\n# changed\n")
	return r.commit("Change " + file)
}

func (r repository) affected(args ...string) string {
	r.t.Helper()
	return strings.Join(strings.Fields(run(r.t, r.dir, "scripts/ci/affected.sh", args...)), " ")
}

// bump lets servers run an image that was built from a commit.
func (r repository) bump(env []string, tag, commit string, servers ...string) outcome {
	r.t.Helper()
	env = append(env, "KUSTOMIZE="+tool(r.t, "kustomize-v5.8.1"))
	return try(r.t, r.dir, env, "scripts/ci/bump.sh", append([]string{"example.invalid/team/tasador", tag, commit}, servers...)...)
}

// tags are the tags of all images called tasador that an overlay renders, each once.
func (r repository) tags(overlay string) []string {
	r.t.Helper()
	var tags []string
	for line := range strings.Lines(run(r.t, r.dir, tool(r.t, "kustomize-v5.8.1"), "build", overlay)) {
		image, found := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "- "), "image: ")
		name, tag, _ := strings.Cut(image, ":")
		if found && filepath.Base(name) == "tasador" && (len(tags) == 0 || tags[0] != name+":"+tag) {
			tags = append(tags, name+":"+tag)
		}
	}
	return tags
}
