package roles_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"tasador/pkg/testkit"
)

// ruleFile is a file of rules, with all that Prometheus knows of one and we use.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

// caseFile is a file of cases for promtool.
type caseFile struct {
	RuleFiles          []string `yaml:"rule_files"`
	EvaluationInterval string   `yaml:"evaluation_interval"`
	Tests              []struct {
		Name        string
		Interval    string
		InputSeries []struct{ Series, Values string } `yaml:"input_series"`
		AlertTests  []struct {
			EvalTime  string `yaml:"eval_time"`
			AlertName string `yaml:"alertname"`
			Expected  []struct {
				Labels      map[string]string `yaml:"exp_labels"`
				Annotations map[string]string `yaml:"exp_annotations"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		ExpressionTests []struct {
			Expr     string
			EvalTime string `yaml:"eval_time"`
			Expected []struct {
				Labels string
				Value  float64
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	}
}

// readYAML reads a file in which nothing may stand that into has no place for.
func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	require.NoError(t, dec.Decode(into), file)
}

// deployFiles returns the files below deploy that match a pattern, of which there are some.
func deployFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.ModuleRoot(t), "deploy", filepath.FromSlash(pattern)))
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

// readRules returns all rules of files.
func readRules(t *testing.T, files []string) []rule {
	t.Helper()
	var rules []rule
	for _, file := range files {
		var f ruleFile
		readYAML(t, file, &f)
		for _, g := range f.Groups {
			rules = append(rules, g.Rules...)
		}
	}
	return rules
}

// TestMonitoringAlertsHaveCases holds every alert to a case in which it rings and one in which it does not, and to what its reader needs.
func TestMonitoringAlertsHaveCases(t *testing.T) {
	rings, silent := map[string]int{}, map[string]int{}
	for _, file := range deployFiles(t, "prometheus/tests/*.yml") {
		var cases caseFile
		readYAML(t, file, &cases)
		for _, test := range cases.Tests {
			for _, a := range test.AlertTests {
				if len(a.Expected) > 0 {
					rings[a.AlertName]++
				} else {
					silent[a.AlertName]++
				}
			}
		}
	}
	sections := runbookSections(t)
	for _, r := range readRules(t, deployFiles(t, "prometheus/rules/*.yml")) {
		if r.Alert == "" {
			continue
		}
		require.Positive(t, rings[r.Alert], "%s has no case in which it rings", r.Alert)
		require.Positive(t, silent[r.Alert], "%s has no case in which it does not ring", r.Alert)
		require.NotEmpty(t, r.For, "%s does not say for how long", r.Alert)
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.NotEmpty(t, r.Annotations["description"], r.Alert)
		_, section, ok := strings.Cut(r.Annotations["runbook_url"], "docs/runbook.md#")
		require.True(t, ok, "%s names no section of docs/runbook.md", r.Alert)
		require.Contains(t, sections[section], r.Alert, "the section %s of docs/runbook.md does not speak of %s", section, r.Alert)
	}
}

// runbookSections returns the text of the sections of docs/runbook.md, with their headings, by the anchors of these.
func runbookSections(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "docs", "runbook.md"))
	require.NoError(t, err)
	sections := map[string]string{}
	for _, part := range strings.Split(string(content), "\n## ")[1:] {
		heading, _, _ := strings.Cut(part, "\n")
		sections[strings.ReplaceAll(strings.ToLower(heading), " ", "-")] = part
	}
	return sections
}

// TestMonitoringAlertsRing runs the cases in promtool, and shows that they would notice an alert that cannot ring any more.
func TestMonitoringAlertsRing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "prometheus")
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(testkit.ModuleRoot(t), "deploy", "prometheus"))))
	out, ok := testkit.Promtool(t, dir, "check", "config", "prometheus.yml")
	require.True(t, ok, out)
	cases, err := filepath.Glob(filepath.Join(dir, "tests", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	out, ok = testkit.Promtool(t, dir, append([]string{"test", "rules"}, cases...)...)
	require.True(t, ok, out)
	file := filepath.Join(dir, "rules", "roles.yml")
	rules, err := os.ReadFile(file)
	require.NoError(t, err)
	text := string(rules)
	for _, broken := range []struct{ alert, what, with string }{
		{"TasadorJournalNotSynced", "tasador_journal_synced == 0", "tasador_journal_synced == 2"},
		{"TasadorJournalBacklog", "tasador_journal_backlog_age_seconds > 300", "tasador_journal_age_seconds > 300"},
		{"TasadorDrift", `tasador_drift_psi{window="24h"}`, `tasador_drift_psi{window="1d"}`},
	} {
		require.Contains(t, text, broken.what, broken.alert)
		text = strings.ReplaceAll(text, broken.what, broken.with)
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, ok = testkit.Promtool(t, dir, "test", "rules", filepath.Join("tests", "roles.yml"))
	require.False(t, ok, "promtool found nothing wrong with alerts that cannot ring")
	for _, alert := range []string{"TasadorJournalNotSynced", "TasadorJournalBacklog", "TasadorDrift"} {
		require.Contains(t, out, "alertname: "+alert)
	}
	require.NotContains(t, out, "alertname: TasadorTargetDown", "those that are right are found right")
}

// TestMonitoringOnKubernetesIsTheSame holds both configurations of Prometheus together: they may differ in how servers are found, and the source is for
// demonstrations on one machine.
func TestMonitoringOnKubernetesIsTheSame(t *testing.T) {
	read := func(name string) map[string]any {
		content, err := os.ReadFile(deployFiles(t, "prometheus/"+name)[0])
		require.NoError(t, err)
		var tree map[string]any
		require.NoError(t, yaml.Unmarshal(content, &tree))
		jobs, _ := tree["scrape_configs"].([]any)
		require.NotEmpty(t, jobs)
		jobs = slices.DeleteFunc(jobs, func(job any) bool { return job.(map[string]any)["job_name"] == "source" })
		for _, job := range jobs {
			found := 0
			for _, by := range []string{"file_sd_configs", "dns_sd_configs", "static_configs"} {
				if job.(map[string]any)[by] != nil {
					found++
				}
				delete(job.(map[string]any), by)
			}
			require.Equal(t, 1, found, "%s: %v", name, job)
		}
		tree["scrape_configs"] = jobs
		return tree
	}
	require.Equal(t, read("prometheus.yml"), read("kubernetes.yml"))
	out, ok := testkit.Promtool(t, filepath.Dir(deployFiles(t, "prometheus/kubernetes.yml")[0]), "check", "config", "kubernetes.yml")
	require.True(t, ok, out)
}

// TestMonitoringFilesAreAllTaken holds the directories for kustomize to what is there: a file that is not named would be missing in clusters only.
func TestMonitoringFilesAreAllTaken(t *testing.T) {
	for dir, patterns := range map[string][]string{"prometheus": {"rules/*.yml"}, "grafana": {"dashboards/*.json", "provisioning/*/*.yml"}} {
		var k struct {
			APIVersion       string          `yaml:"apiVersion"`
			Kind             string          `yaml:"kind"`
			GeneratorOptions map[string]bool `yaml:"generatorOptions"`
			Generators       []struct {
				Name  string
				Files []string
			} `yaml:"configMapGenerator"`
		}
		readYAML(t, deployFiles(t, dir+"/kustomization.yaml")[0], &k)
		var named []string
		for _, g := range k.Generators {
			named = append(named, g.Files...)
		}
		for _, pattern := range patterns {
			for _, file := range deployFiles(t, dir+"/"+pattern) {
				inside, err := filepath.Rel(filepath.Join(testkit.ModuleRoot(t), "deploy", dir), file)
				require.NoError(t, err)
				require.Contains(t, named, filepath.ToSlash(inside))
			}
		}
	}
}
