package ci_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"tasador/pkg/testkit"
)

// workflow is what the checks below read of a workflow.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Uses        string
		Permissions map[string]string
		Timeout     int    `yaml:"timeout-minutes"`
		RunsOn      string `yaml:"runs-on"`
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

func workflows(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.ModuleRoot(t), ".github", "workflows", "*.y*ml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	texts := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[filepath.Base(file)] = string(b)
	}
	return texts
}

func TestWorkflowsAndScriptsPassTheirLinters(t *testing.T) {
	root := testkit.ModuleRoot(t)
	shellcheck, err := exec.LookPath("shellcheck")
	require.NoError(t, err, "shellcheck is missing; run make prepare: it installs it")
	o := try(t, root, nil, tool(t, "actionlint-v1.7.12"), "-shellcheck", shellcheck, "-no-color")
	require.Zero(t, o.code, o.stdout+o.stderr)
	scripts := strings.Fields(run(t, root, "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.sh"))
	o = try(t, root, nil, shellcheck, append([]string{"--external-sources"}, scripts...)...)
	require.Zero(t, o.code, o.stdout)
}

var pinned = regexp.MustCompile(`^\s*-? *uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// TestActionsArePinned looks at the text, because the version stands in a comment.
func TestActionsArePinned(t *testing.T) {
	for name, text := range workflows(t) {
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			if strings.Contains(line, "uses:") && !strings.Contains(line, "uses: ./") {
				require.Regexp(t, pinned, line, name)
			}
		}
	}
}

// TestWorkflowsHaveNoMoreThanTheyNeed holds what makes a workflow dangerous (OSSF Scorecard: Token-Permissions, Dangerous-Workflow): rights beyond reading
// for a whole workflow, a token left in a working copy that only reads, text from outside in a script, a job without an end.
func TestWorkflowsHaveNoMoreThanTheyNeed(t *testing.T) {
	writes := map[string]string{"deploy.yaml/publish": "contents", "release.yaml/publish": "contents"}
	for name, text := range workflows(t) {
		require.NotContains(t, text, "pull_request_target", name)
		require.NotContains(t, text, "workflow_run", name)
		var w workflow
		require.NoError(t, yaml.Unmarshal([]byte(text), &w), name)
		require.Equal(t, map[string]string{"contents": "read"}, w.Permissions, name)
		for job, j := range w.Jobs {
			job = name + "/" + job
			for scope, right := range j.Permissions {
				if right == "write" {
					require.Equal(t, writes[job], scope, job)
				}
			}
			if j.Uses == "" {
				require.Positive(t, j.Timeout, job)
				require.NotContains(t, j.RunsOn, "latest", job)
			}
			for _, s := range j.Steps {
				require.NotContains(t, s.Run, "${{", "%s: pass values to scripts through env", job)
				if strings.HasPrefix(s.Uses, "actions/checkout@") && writes[job] == "" {
					require.Equal(t, false, s.With["persist-credentials"], job)
				}
			}
		}
	}
}
