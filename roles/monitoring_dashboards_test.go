package roles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

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

// readDashboards returns the dashboards by the names of their files.
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
