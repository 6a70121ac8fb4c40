package roles_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// shownPackages are those whose errors can reach a page.
var shownPackages = []string{
	"pkg/apperror", "pkg/artifact", "pkg/artifact/dirstore", "pkg/artifact/places", "pkg/artifact/s3store", "pkg/auth", "pkg/dispatch", "pkg/drift", "pkg/experiment", "pkg/experiment/filter", "pkg/httpserver", "pkg/inference", "pkg/model",
	"pkg/sqlstore", "pkg/sqlstore/authstore", "pkg/sqlstore/dagrunstore", "pkg/sqlstore/predictionstore", "pkg/sqlstore/trackingstore", "pkg/trackingclient",
	"roles/pipeline", "roles/pipeline/pricemodel", "roles/serving", "roles/tracking",
}

// unshownFiles hold errors that only programs, the command line or the log see.
var unshownFiles = map[string]string{
	"pkg/artifact/places/places.go":             "when the process starts",
	"pkg/artifact/s3store/direct.go":            "REST",
	"pkg/artifact/s3store/s3store.go":           "when the process starts",
	"pkg/dispatch/dispatch.go":                  "when the process starts; pages check the DAG before",
	"pkg/dispatch/jobs.go":                      "when the process starts",
	"pkg/dispatch/worker.go":                    "errors of tasks, which are kept as text",
	"pkg/experiment/validate.go":                "what clients write; pages look only up",
	"pkg/httpserver/audit.go":                   "/readyz",
	"pkg/httpserver/tls.go":                     "/readyz, and when the process starts",
	"pkg/sqlstore/lock.go":                      "when the process starts",
	"pkg/sqlstore/url.go":                       "when the process starts",
	"pkg/sqlstore/dagrunstore/notes.go":         "errors of tasks",
	"pkg/sqlstore/trackingstore/batch.go":       "what clients write",
	"pkg/sqlstore/trackingstore/newversion.go":  "what clients write",
	"roles/pipeline/clear.go":                   "REST",
	"roles/pipeline/dags.go":                    "REST",
	"roles/pipeline/role.go":                    "when the process starts",
	"roles/pipeline/tasks.go":                   "REST",
	"roles/pipeline/pricemodel/decide.go":       "errors of tasks",
	"roles/pipeline/pricemodel/extract.go":      "errors of tasks",
	"roles/pipeline/pricemodel/payload.go":      "errors of tasks",
	"roles/pipeline/pricemodel/register.go":     "errors of tasks",
	"roles/pipeline/pricemodel/runs.go":         "errors of tasks",
	"roles/pipeline/pricemodel/train.go":        "errors of tasks",
	"roles/serving/body.go":                     "JSON; a form has fields",
	"roles/serving/frame.go":                    "REST",
	"roles/serving/frame_json.go":               "REST",
	"roles/serving/invocations.go":              "REST",
	"roles/serving/oip.go":                      "REST",
	"roles/serving/oip_read.go":                 "REST",
	"roles/serving/protocol.go":                 "REST",
	"roles/serving/explain.go":                  "JSON",
	"roles/serving/follow.go":                   "when the process starts",
	"roles/serving/notes.go":                    "REST",
	"roles/serving/predict.go":                  "JSON",
	"roles/serving/role.go":                     "when the process starts",
	"roles/tracking/experiments.go":             "REST",
	"roles/tracking/fieldnames.go":              "REST",
	"roles/tracking/history.go":                 "REST",
	"roles/tracking/request.go":                 "REST",
	"pkg/sqlstore/trackingstore/recordmodel.go": "what clients write",
	"roles/tracking/role.go":                    "when the process starts",
	"pkg/sqlstore/trackingstore/garbage.go":     "what clients write",
	"pkg/sqlstore/trackingstore/imports.go":     "the command line",
	"pkg/sqlstore/snapshot.go":                  "the command line",
}

// unshownSentences are what clients are told that write, in files that hold other sentences too.
var unshownSentences = []string{
	"Experiment(name=%s) already exists.", "The experiment %d must be in the 'active' state. Current state is %s.", "No tag with name: %s in experiment with id %s",
	"Cannot rename a non-active experiment.", "No Experiment with id=%d exists in the %s state", "Registered Model (name=%s) already exists.",
	"No tag with name: %s in run with id %s", "The run %s must be in the 'active' state. Current state is %s.", "No tag with key '%s' found for model with ID '%s'.",
	"Changing param values is not allowed. Param with key='%s' was already logged with value='%s' for model ID='%s'. Attempted logging new value '%s'.",
	`Invalid model name (%s) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%%', '"', "'")`,
	"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='%s', mlflow.runName='%s').",
	"Model version transition cannot archive existing model versions because '%s' is not an Active stage. Valid stages are ['Staging', 'Production']",
	"database URL %q has a parameter that is not understood", "database URL %q has a parameter that is not understood: %s", "database URL %q cannot be used: %s",
	"database URL %q names a folder; write it as sqlite:PATH of a file", "cannot take the schema of the %s database back to version %d", "the %s database cannot be kept in %s; use one of %s",
	"database URL %q names no file; write it as sqlite:PATH", "database URL %q keeps nothing; write it as sqlite:PATH", "cannot make the folder of the database %s; check that its parent is writable",
	"%q cannot be the name of a schema; use small letters, digits and underscores, and do not begin with pg_",
	"cannot make the schema %s in the database %s; let an administrator make it and give it to this user", "database URL %q is not understood",
	"%q does not name a folder of S3; write it as s3://bucket/prefix",
	"%s already exists", "%s does not exist", // pages name what is missing themselves
	"Prompt (name=%s) already exists.", "`dataset_name` in the `datasets` clause must be specified.", "A search takes at most %d datasets.",
	"Tried to create a %s with name '%s', but the name is already taken by a %s. MLflow does not allow creating a model and a prompt with the same name.",
	"Artifact size is too large. Max size is 10MB.", "Request must specify run_uuid.", "Request must specify path.", "Request must specify data.",
	"Missing value for required parameter 'path'.", "The upload broke off; nothing was stored.",
}

// TestSentencesOfPagesAreTranslated holds every sentence that an error can bring onto a page to the Spanish texts.
func TestSentencesOfPagesAreTranslated(t *testing.T) {
	root := testkit.ModuleRoot(t)
	content, err := os.ReadFile(filepath.Join(root, "web", "translations", "es.json"))
	require.NoError(t, err)
	var es map[string]string
	require.NoError(t, json.Unmarshal(content, &es))
	for _, text := range append(unshownSentences, "%s") { // that is what another program said
		es[text] = text
	}
	found, missing := 0, []string{}
	for _, folder := range shownPackages {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, folder)
		constants := map[string]ast.Expr{}
		for _, file := range files {
			addConstants(t, file, constants)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			if _, unshown := unshownFiles[filepath.ToSlash(name)]; unshown || strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, format := range sentencesIn(t, file, constants) {
				found++
				if es[format] == "" {
					missing = append(missing, name+": "+format)
				}
			}
		}
	}
	require.Empty(t, missing, "es.json lacks them")
	require.Greater(t, found, 100)
	for file := range unshownFiles {
		require.FileExists(t, filepath.Join(root, file))
	}
}

// sentencesIn returns the formats of the errors and sentences that a file makes.
func sentencesIn(t *testing.T, file string, constants map[string]ast.Expr) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var formats []string
	add := func(e ast.Expr) {
		if named, constant := constants[nameOf(e)]; constant {
			e = named
		}
		if text, constant := literal(e); constant {
			formats = append(formats, text)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if at, makes := map[string]int{"apperror.New": 1, "apperror.Wrap": 2, "bad": 0, "found": 1}[nameOf(n.Fun)]; makes && at < len(n.Args) {
				add(n.Args[at])
			}
		case *ast.KeyValueExpr:
			if nameOf(n.Key) == "Format" {
				add(n.Value)
			}
		}
		return true
	})
	return formats
}

// addConstants notes the constants of a file by their names.
func addConstants(t *testing.T, file string, constants map[string]ast.Expr) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, d := range tree.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok && len(value.Values) == len(value.Names) {
				for i, name := range value.Names {
					constants[name.Name] = value.Values[i]
				}
			}
		}
	}
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// literal returns the text of a constant expression.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, also := literal(e.Y)
		return left + right, ok && also
	}
	return "", false
}
