package roles_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// axe is the source of axe-core, which finds what keeps people from using a page.
func axe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(testkit.ModuleRoot(t), ".cache", "browser", "node_modules", "axe-core", "axe.min.js")
	content, err := os.ReadFile(path)
	require.NoError(t, err, "axe-core is missing; run make test: it installs it")
	return string(content)
}

// violation is a rule of axe-core that a page breaks, with where.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// requireAccessible lets axe-core look at the page that is open.
func (b tab) requireAccessible(source, page string) {
	b.t.Helper()
	require.True(b.t, evaluate[bool](b, source+`;
window.found = "";
axe.run(document).then(
	(r) => { window.found = JSON.stringify(r.violations.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.map((n) => n.html + " " + n.failureSummary) }))); },
	(e) => { window.found = "failed: " + e; });
true`))
	var found string
	require.Eventually(b.t, func() bool {
		found = evaluate[string](b, `window.found`)
		return found != ""
	}, 30*time.Second, 20*time.Millisecond)
	require.True(b.t, strings.HasPrefix(found, "["), found)
	var violations []violation
	require.NoError(b.t, json.Unmarshal([]byte(found), &violations))
	require.Empty(b.t, violations, page)
}

// TestNoPageKeepsPeopleOut looks at the first pages of all roles; tests of single pages look at theirs.
func TestNoPageKeepsPeopleOut(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	for _, theme := range []string{"light", "dark"} {
		for _, page := range []string{s.serving("/"), s.serving("/docs"), s.cfg.Tracking.URI + "/", s.cfg.Tracking.URI + "/experiments/1", s.cfg.Tracking.URI + "/models", s.cfg.Source.URI + "/", s.pipeline("/"), s.pipeline("/data")} {
			b.open(page + "?theme=" + theme)
			b.requireAccessible(source, page+" "+theme)
		}
	}
}
