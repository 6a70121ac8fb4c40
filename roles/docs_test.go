package roles_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/cli"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/outgoing"
	"tasador/pkg/testkit"
	"tasador/roles"
)

// document reads a file of the repository, by its path from the top.
func document(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{testkit.ModuleRoot(t)}, path...)...))
	require.NoError(t, err)
	return string(content)
}

// tableRows returns the cells of the rows of all tables that have a first column of that name.
func tableRows(text, firstColumn string) [][]string {
	var rows [][]string
	inside := false
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == firstColumn:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	return rows
}

// documentedRoutes reads the tables of docs/api.md: "role method path" → right.
func documentedRoutes(t *testing.T) map[string]string {
	t.Helper()
	placeholder := regexp.MustCompile(`\{(\w+)\}`)
	routes := map[string]string{}
	for _, section := range strings.Split(document(t, "docs", "api.md"), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		names := []string{strings.ToLower(heading)}
		if heading == "Every role" {
			names = config.RoleNames()
		}
		for _, row := range tableRows(text, "method") {
			require.Len(t, row, 4, "%v", row)
			require.NotEmpty(t, row[3], "%v says nothing", row)
			path := placeholder.ReplaceAllString(strings.Trim(row[1], "`"), ":$1")
			paths := []string{path}
			if rest, ok := strings.CutPrefix(path, "…"); ok {
				paths = []string{"/api/2.0" + rest, "/ajax-api/2.0" + rest}
			}
			for _, name := range names {
				for _, path := range paths {
					for _, method := range strings.Split(row[0], ", ") {
						key := name + " " + method + " " + path
						require.NotContains(t, routes, key, "it is there twice")
						routes[key] = row[2]
					}
				}
			}
		}
	}
	return routes
}

// TestAPIDocumentHasEveryRoute compares docs/api.md with what the servers have registered.
func TestAPIDocumentHasEveryRoute(t *testing.T) {
	registered := map[string]string{}
	for _, r := range startGuarded(t, nil).guard.Routes() {
		registered[r.Role+" "+r.Method+" "+r.Path] = string(r.Right)
	}
	maps.DeleteFunc(registered, func(key, right string) bool { // what comes with the GET, as the document says
		role, rest, _ := strings.Cut(key, " ")
		path, head := strings.CutPrefix(rest, "HEAD ")
		return head && registered[role+" GET "+path] == right && right != string(httpserver.Write)
	})
	documented := documentedRoutes(t)
	lacks := func(have, want map[string]string) (names []string) {
		for name := range want {
			if _, there := have[name]; !there {
				names = append(names, name)
			}
		}
		return names
	}
	require.Empty(t, lacks(documented, registered), "docs/api.md lacks routes")
	require.Empty(t, lacks(registered, documented), "docs/api.md has routes that there are not")
	require.Equal(t, registered, documented, "docs/api.md names another right")
}

// codeBlocks returns the indented blocks of a text, each without its indentation.
func codeBlocks(text string) []string {
	var blocks []string
	for _, part := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(part, "    ") {
			blocks = append(blocks, strings.TrimPrefix(strings.ReplaceAll(part, "\n    ", "\n"), "    "))
		}
	}
	return blocks
}

// TestAPIDocumentExamplesWork gives the examples of docs/api.md to a shell, one after the other, while everybody has to log in.
func TestAPIDocumentExamplesWork(t *testing.T) {
	if testing.Short() {
		t.Skip("needs curl and jq")
	}
	users := "sqlite:" + filepath.Join(t.TempDir(), "auth.db")
	_, tokens := addUsers(t, users)
	s := startStack(t, func(cfg *config.Config) { cfg.Auth.Enabled, cfg.Auth.URL = true, users }, config.RoleNames()...)
	s.how = outgoing.Options{Login: outgoing.Login{Token: tokens[auth.Editor]}}
	s.runDAG(t, "first")
	require.Eventually(t, func() bool { status, _ := get(t, s.serving("/v2/health/ready")); return status == 200 }, time.Minute, 20*time.Millisecond)

	text := document(t, "docs", "api.md")
	blocks := codeBlocks(text[strings.Index(text, "## Logging in"):strings.Index(text, "## What all have in common")])
	require.Len(t, blocks, 6)
	script := strings.NewReplacer(
		"127.0.0.1:8000", s.cfg.Serving.Listen, "127.0.0.1:8080", s.cfg.Pipeline.Listen, "127.0.0.1:5000", s.cfg.Tracking.Listen,
		`"ana"`, `"editor"`, "curl -s ", "curl -sS --fail-with-body --max-time 60 ",
	).Replace(strings.Join(blocks, "\necho; echo ----\n"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "no_proxy=127.0.0.1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	answers := strings.Split(string(out), "\n----\n")
	require.Len(t, answers, len(blocks), "%s", out)
	for i, want := range []string{
		"", `(?s)"prediction":\d.*"request_id":"house-1".*"item":0`, `(?s)"row":1,"prediction":\d.*"row":2,"error".*"summary"`,
		`(?s)"predictions":.*"outputs":`, `"dag_run_id":"manual__.*"state":"(queued|running|success)"`, `"run_name":"first".*"key":"rmse","value":1.5`,
	} {
		require.Regexp(t, want, answers[i])
	}
}

// TestMigrationGuideMapsVariables sets each variable that docs/migrate-from-original.md maps and looks which setting it has changed.
func TestMigrationGuideMapsVariables(t *testing.T) {
	rows := tableRows(document(t, "docs", "migrate-from-original.md"), "variable of the original")
	inSettings := map[string]bool{} // the variables of others that tasador reads
	for _, name := range regexp.MustCompile("`((?:AIRFLOW|MLFLOW|AWS|RAW)_[A-Z0-9_]+)`").FindAllStringSubmatch(document(t, "docs", "settings.md"), -1) {
		inSettings[name[1]] = true
		t.Setenv(name[1], "")
		require.NoError(t, os.Unsetenv(name[1]))
	}
	settings := func() string {
		var out, errOut bytes.Buffer
		app := cli.App{IO: cli.IO{In: strings.NewReader(""), Out: &out, Err: &errOut}, RunRoles: roles.Run}
		require.Zero(t, app.Main(t.Context(), []string{"config", "print", "--data-dir=/data"}), errOut.String())
		return out.String()
	}
	before := strings.Split(settings(), "\n")
	for _, row := range rows {
		variable, _, _ := strings.Cut(strings.Trim(row[0], "`"), "`")
		flag := regexp.MustCompile("^`--([a-z.-]+)`").FindStringSubmatch(row[1])
		require.NotNil(t, flag, row)
		require.True(t, inSettings[variable], "%s is in no setting", variable)
		delete(inSettings, variable)
		value := "http://host:9000"
		if strings.HasSuffix(flag[1], "data.url") {
			value = "mysql+pymysql://u:secret@host:3306/db"
		}
		require.NoError(t, os.Setenv(variable, value)) // as it was before, after the test
		var changed []string
		for _, line := range strings.Split(settings(), "\n") {
			if name, _, _ := strings.Cut(line, ":"); !slices.Contains(before, line) && name != "predictions.url" { // which follows RawData
				changed = append(changed, name)
			}
		}
		require.Equal(t, []string{flag[1]}, changed, variable)
		require.NoError(t, os.Unsetenv(variable))
	}
	require.Empty(t, inSettings, "docs/migrate-from-original.md does not speak of these")
}

// anchorsOf returns the anchors of the headings of a page, as GitHub makes them.
func anchorsOf(text string) map[string]bool {
	anchors, dropped := map[string]bool{}, regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchors[strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")] = true
	}
	return anchors
}

// TestLinksOfTheDocumentsLeadSomewhere follows the links of all pages to files and headings of the repository.
func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	root := testkit.ModuleRoot(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	for _, page := range append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "README.es.md")) {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(content), -1) {
			to, err := url.Parse(link[1])
			require.NoError(t, err)
			if to.IsAbs() {
				continue
			}
			target := page
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(to.Path))
			}
			file, err := os.Open(target)
			require.NoError(t, err, "%s links to %s", page, link[1])
			if to.Fragment != "" {
				text, err := io.ReadAll(file)
				require.NoError(t, err)
				require.Contains(t, anchorsOf(string(text)), to.Fragment, "%s links to %s", page, link[1])
			}
			require.NoError(t, file.Close())
		}
	}
}
