package ci_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var all = []string{"servidor1", "servidor2", "servidor3"}

func TestAServerIsAffectedByWhatItIsMadeOf(t *testing.T) {
	r, _ := newRepository(t)
	require.Equal(t, "servidor1 servidor2 servidor3", r.affected(), "no image was ever built")
	for i, c := range []struct{ file, servers string }{
		{"README.md", ""},
		{"docs/pages.md", ""},
		{"pkg/ridge/fit_test.go", ""},
		{"main.go", "servidor1 servidor2 servidor3"},
		{"pkg/ridge/fit.go", "servidor1 servidor2 servidor3"},
		{"web/static/app.css", "servidor1 servidor2 servidor3"},
		{"k8s/overlays/microk8s/servidor1/kustomization.yaml", "servidor1"},
		{"k8s/overlays/microk8s/servidor2/kustomization.yaml", "servidor2"},
		{"k8s/base/minio/kustomization.yaml", "servidor2"},
		{"k8s/base/serving/kustomization.yaml", "servidor3"},
		{"deploy/locust/locustfile.py", "servidor3"},
		{"k8s/overlays/production/kustomization.yaml", ""},
	} {
		o := r.bump(nil, fmt.Sprintf("20260102-%d", i+1), r.head(), all...)
		require.Zero(t, o.code, o.stderr)
		require.Empty(t, r.affected(), "nothing changed since the images were built")
		r.change(c.file)
		require.Equal(t, c.servers, r.affected(), c.file)
		require.Equal(t, "servidor1 servidor2 servidor3", r.affected("all"))
		r.git("push", "--quiet", "origin", "main")
	}
}

// TestAPushWhoseRunWasOvertakenIsMadeUpFor changes server 2 in a push whose run never set a tag, then something else.
func TestAPushWhoseRunWasOvertakenIsMadeUpFor(t *testing.T) {
	r, _ := newRepository(t)
	built := r.head()
	overtaken := r.change("k8s/base/tracking/kustomization.yaml")
	r.git("push", "--quiet", "origin", "main")
	o := r.bump(nil, "20260102-1", built, all...) // that of the first push, which was built before the second
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, "servidor2", r.affected())
	r.change("README.md")
	require.Equal(t, "servidor2", r.affected())
	r.git("push", "--quiet", "origin", "main")
	require.Zero(t, r.bump(nil, "20260102-3", overtaken, "servidor2").code)
	require.Empty(t, r.affected())
}

func TestBumpSetsTheTagWhereItBelongs(t *testing.T) {
	r, origin := newRepository(t)
	first := "example.invalid/team/tasador:20260102-7"
	o := r.bump(nil, "20260102-7", r.head(), all...)
	require.Zero(t, o.code, o.stderr)
	for _, overlay := range []string{"microk8s/servidor1", "microk8s/servidor2", "microk8s/servidor3", "production"} {
		require.Equal(t, []string{first}, r.tags("k8s/overlays/"+overlay), overlay)
	}
	require.Contains(t, r.read("deploy/.env"), "\nIMAGE_REPOSITORY=example.invalid/team/tasador\nIMAGE_TAG=20260102-7\n")
	require.Equal(t, r.head(), run(t, origin, "git", "rev-parse", "main"), "it is pushed")
	require.Regexp(t, `^chore: run image 20260102-7 on servidor1 servidor2 servidor3\n\nBuilt-From: [0-9a-f]{40}$`, r.git("log", "-1", "--format=%B"))

	o = r.bump(nil, "20260102-8", r.head(), "servidor2")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, []string{"example.invalid/team/tasador:20260102-8"}, r.tags("k8s/overlays/microk8s/servidor2"))
	for _, overlay := range []string{"microk8s/servidor1", "microk8s/servidor3", "production"} {
		require.Equal(t, []string{first}, r.tags("k8s/overlays/"+overlay), overlay)
	}
	require.Contains(t, r.read("deploy/.env"), "IMAGE_TAG=20260102-7\n")
	require.Equal(t, "k8s/overlays/microk8s/servidor2/kustomization.yaml", r.git("show", "--format=", "--name-only"))

	head := r.head()
	o = r.bump(nil, "20260102-8", r.head(), "servidor2")
	require.Zero(t, o.code)
	require.Contains(t, o.stdout, "already")
	require.Equal(t, head, r.head(), "a second time changes nothing")
}

func TestBumpRefusesWhatItDoesNotKnow(t *testing.T) {
	r, _ := newRepository(t)
	for _, servers := range [][]string{{"servidor4"}, {"servidor1", "../.."}, {}} {
		o := r.bump(nil, "20260102-1", r.head(), servers...)
		require.Equal(t, 2, o.code)
		require.NotEmpty(t, o.stderr)
		require.Empty(t, r.git("status", "--short"))
	}
}

// TestBumpKeepsWhatOthersDidMeanwhile pushes a commit of somebody else between each pull of the script and its push, three times, by the hook that git runs
// before a push. One of those commits sets the same line; and the working tree has a change that is nobody's business.
func TestBumpKeepsWhatOthersDidMeanwhile(t *testing.T) {
	r, origin := newRepository(t)
	other := clone(t, origin)
	left := filepath.Join(t.TempDir(), "left")
	require.NoError(t, os.WriteFile(left, []byte("xxx"), 0o600))
	kustomization := "k8s/overlays/microk8s/servidor2/kustomization.yaml"
	hook := fmt.Sprintf(`#!/bin/sh
left=$(cat %[1]s)
[ -n "$left" ] || exit 0
printf %%s "${left#x}" >%[1]s
unset GIT_DIR GIT_INDEX_FILE
cd %[2]s && git pull --quiet --rebase && echo "# $left" >>%[3]s && git commit --quiet --all --message "By hand $left" && git push --quiet
`, left, other.dir, kustomization)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, ".git", "hooks", "pre-push"), []byte(hook), 0o700))
	r.write("README.md", "not committed")

	o := r.bump(nil, "20260102-9", r.head(), "servidor2")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 3, strings.Count(o.stderr, "somebody else pushed"))
	require.Equal(t, []string{"example.invalid/team/tasador:20260102-9"}, r.tags("k8s/overlays/microk8s/servidor2"))
	require.Equal(t, []string{"chore: run image 20260102-9 on servidor2", "By hand x", "By hand xx", "By hand xxx", "Begin"},
		strings.Split(run(t, origin, "git", "log", "--format=%s", "main"), "\n"))
	require.Equal(t, "not committed", r.read("README.md"))
	require.Equal(t, "M README.md", r.git("status", "--short"))
}
