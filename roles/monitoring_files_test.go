package roles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
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
	}
}

// dashboard is what we use of Grafana's dashboards, schema version 39. Whatever else a file says is a mistake.
type dashboard struct {
	UID, Title, Description, Timezone, Refresh string
	Tags                                       []string
	SchemaVersion, Version, GraphTooltip       int
	Editable                                   bool
	Time                                       struct{ From, To string }
	Links                                      []map[string]any
	Annotations                                struct{ List []any }
	Templating                                 struct{ List []variable }
	Panels                                     []panel
}

type variable struct {
	Name, Label, Type, Definition, AllValue string
	Query                                   any
	Datasource                              *datasource
	Hide, Refresh, Sort                     int
	Multi, IncludeAll                       bool
	Current                                 struct {
		Selected    bool
		Text, Value string
	}
	Options []struct {
		Selected    bool
		Text, Value string
	}
}

type datasource struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Collapsed                bool
	Datasource               *datasource
	GridPos                  struct{ X, Y, W, H int }
	Panels                   []panel
	Targets                  []target
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Min, Max   *float64
			Decimals   *int
			Thresholds struct {
				Mode  string
				Steps []struct {
					Color string
					Value *float64
				}
			}
			Mappings []map[string]any
			Custom   map[string]any
		}
		Overrides []any
	}
	Options map[string]any
}

type target struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range                    bool
	Datasource                        datasource
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

func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	dashboards := map[string]dashboard{}
	for _, file := range deployFiles(t, "grafana/dashboards/*.json") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		dec := json.NewDecoder(bytes.NewReader(content))
		dec.DisallowUnknownFields()
		var d dashboard
		require.NoError(t, dec.Decode(&d), file)
		_, err = dec.Token()
		require.True(t, errors.Is(err, io.EOF), "%s holds one dashboard", file)
		dashboards[filepath.Base(file)] = d
	}
	return dashboards
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
	for _, file := range []string{"objectives.yml", "roles.yml"} {
		out, ok := testkit.Promtool(t, dir, "test", "rules", filepath.Join("tests", file))
		require.True(t, ok, out)
	}
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

// TestMonitoringDashboards holds the dashboards to what Grafana and its reader need: nothing that belongs to one instance, every panel with a title, a
// description, a unit and something to show, in a place of its own.
func TestMonitoringDashboards(t *testing.T) {
	uids := map[string]bool{}
	for file, d := range readDashboards(t) {
		require.Equal(t, 39, d.SchemaVersion, file)
		require.Equal(t, "tasador-"+strings.TrimSuffix(file, ".json"), d.UID, "the uid is in addresses that people keep")
		require.False(t, uids[d.UID], d.UID)
		uids[d.UID] = true
		require.NotEmpty(t, d.Title, file)
		require.NotEmpty(t, d.Description, file)
		require.Equal(t, "datasource", d.Templating.List[0].Name)
		require.Equal(t, "datasource", d.Templating.List[0].Type)
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s: two panels have the id %d", file, p.ID)
			ids[p.ID] = true
			requirePanel(t, file, p)
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					require.Empty(t, taken[[2]int{x, y}], "%s: %s lies over another panel", file, p.Title)
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
	require.Len(t, uids, 4)
}

var knownUnits = regexp.MustCompile(`^(none|short|s|bytes|percentunit|reqps|rowsps|ops|currencyUSD)$`)

func requirePanel(t *testing.T, file string, p panel) {
	t.Helper()
	require.NotEmpty(t, p.Title, file)
	require.Positive(t, p.GridPos.W, p.Title)
	require.Positive(t, p.GridPos.H, p.Title)
	require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s: %s is wider than the page", file, p.Title)
	require.Empty(t, p.Panels, "panels in rows that are folded would be missed here")
	if p.Type == "row" {
		return
	}
	require.Contains(t, []string{"stat", "timeseries", "heatmap", "table"}, p.Type, p.Title)
	require.NotEmpty(t, p.Description, "%s: %s", file, p.Title)
	require.Regexp(t, knownUnits, p.FieldConfig.Defaults.Unit, "%s: %s", file, p.Title)
	require.NotEmpty(t, p.Targets, "%s: %s", file, p.Title)
	require.NotNil(t, p.Datasource, p.Title)
	require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
	refs := map[string]bool{}
	for _, target := range p.Targets {
		require.NotEmpty(t, target.Expr, p.Title)
		require.Equal(t, "${datasource}", target.Datasource.UID, p.Title)
		require.NotEqual(t, target.Instant, target.Range, p.Title)
		require.False(t, refs[target.RefID], p.Title)
		refs[target.RefID] = true
		require.Equal(t, p.Type == "table" || p.Type == "stat", target.Instant, p.Title)
		if len(p.Targets) > 1 {
			require.NotEmpty(t, target.LegendFormat, "%s: %s does not say which line is which", file, p.Title)
		}
	}
}

// TestMonitoringGrafanaIsProvisioned reads what Grafana is given at its start. Grafana itself cannot be had where the tests run.
func TestMonitoringGrafanaIsProvisioned(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			Editable                     bool
			JSONData                     struct {
				HTTPMethod   string `yaml:"httpMethod"`
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, deployFiles(t, "grafana/provisioning/datasources/*.yml")[0], &sources)
	require.Equal(t, 1, sources.APIVersion)
	require.Len(t, sources.Datasources, 1)
	require.Equal(t, "prometheus", sources.Datasources[0].Type)
	var config struct {
		Global struct {
			ScrapeInterval string `yaml:"scrape_interval"`
		}
	}
	content, err := os.ReadFile(deployFiles(t, "prometheus/prometheus.yml")[0])
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &config))
	require.Equal(t, config.Global.ScrapeInterval, sources.Datasources[0].JSONData.TimeInterval, "$__rate_interval follows from it")
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type    string
			FolderUID             string `yaml:"folderUid"`
			DisableDeletion       bool   `yaml:"disableDeletion"`
			AllowUIUpdates        bool   `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int    `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	readYAML(t, deployFiles(t, "grafana/provisioning/dashboards/*.yml")[0], &providers)
	require.Equal(t, 1, providers.APIVersion)
	require.Len(t, providers.Providers, 1)
	require.Equal(t, "file", providers.Providers[0].Type)
	require.NotEmpty(t, providers.Providers[0].Options.Path)
}
