package roles_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "tasador/"

type goPackage struct {
	ImportPath string
	Imports    []string
}

// layers from the bottom up. A package may import those of its own layer and of the layers below.
var layers = [][]string{
	{"pkg/apperror", "pkg/property", "pkg/onnx", "pkg/killpoint", "pkg/redact", "web", "migrations"},
	{"pkg/dataset", "pkg/features", "pkg/ridge", "pkg/training", "pkg/model", "pkg/realtor", "pkg/experiment", "pkg/registry", "pkg/drift", "pkg/inference", "pkg/dag", "pkg/artifact", "pkg/auth"},
	{"pkg/"},
	{"roles/source", "roles/tracking", "roles/pipeline", "roles/serving"},
	{"roles"},
	{"main", "scripts/ci"},
}

// doors says which packages may use a library directly. Of several that match, the longest counts.
var doors = map[string][]string{
	"gorm.io/":                         {"pkg/sqlstore"},
	"modernc.org/sqlite":               {"pkg/sqlstore"},
	"github.com/go-sql-driver/mysql":   {"pkg/sqlstore", "pkg/testkit"},
	"github.com/jackc/pgx":             {"pkg/sqlstore", "pkg/testkit"},
	"github.com/pressly/goose":         {"pkg/sqlstore"},
	"github.com/aws/":                  {"pkg/artifact/s3store", "pkg/testkit/s3test"},
	"github.com/parquet-go/":           {"pkg/listingparquet"},
	"golang.org/x/crypto/argon2":       {"pkg/auth"},
	"golang.org/x/time/rate":           {"pkg/listingapi"},
	"github.com/sajari/":               {"pkg/ridge"},
	"gonum.org/":                       {"pkg/ridge"},
	"github.com/riverqueue/":           {"pkg/dispatch"},
	"github.com/labstack/echo":         {"pkg/httpserver", "roles"},
	"github.com/danielgtaylor/huma":    {"roles/serving"},
	"github.com/prometheus/":           {"pkg/observability", "pkg/httpserver", "roles"},
	"github.com/alecthomas/kong":       {"pkg/config", "pkg/cli"},
	"google.golang.org/protobuf":       {"pkg/onnx"},
	"github.com/alecthomas/participle": {"pkg/experiment", "pkg/sqlstore/trackingstore"},
	"github.com/schollz/progressbar":   {"pkg/cli"},
	"github.com/tsenart/vegeta":        {"pkg/loadtest"},
	"gonum.org/v1/gonum/mathext/prng":  {"pkg/dataset"},
	"flag":                             {"pkg/config", "pkg/cli"},
	"testing":                          {"pkg/testkit", "pkg/experiment/experimenttest", "pkg/artifact/artifacttest"},
	"github.com/stretchr/testify/":     {"pkg/testkit", "pkg/experiment/experimenttest", "pkg/artifact/artifacttest"},

	// Sketches.
	"github.com/DataDog/sketches-go":         {"pkg/dataset", "pkg/drift"},
	"github.com/parquet-go/parquet-go/bloom": {"pkg/dataset"},
	"github.com/cespare/xxhash":              {"pkg/dataset"},
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "tasador/...").Output()
	require.NoError(t, err)
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}

// within reports whether a package is or lies below one of the folders.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == f || strings.HasPrefix(path, strings.TrimSuffix(f, "/")+"/")
	})
}

func layerOf(path string) int {
	for i, layer := range layers {
		// Folders below a domain folder may be adapters of it (artifact/dirstore), so domain and leaf match exactly.
		exact := i < 2
		if (exact && slices.Contains(layer, path)) || (!exact && within(path, layer...)) {
			return i
		}
	}
	return -1
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if path == "tasador" {
			path = "main"
		}
		own := layerOf(path)
		require.GreaterOrEqual(t, own, 0, "%s belongs to no layer; put it in one", path)
		for _, imported := range p.Imports {
			below, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			require.LessOrEqual(t, layerOf(below), own, "%s must not import %s, which is above it", path, below)
			if own == layerOf("roles/source") && layerOf(below) == own {
				require.Equal(t, role(path), role(below), "%s must not import another role", path)
			}
		}
	}
}

func role(path string) string { return strings.Split(path, "/")[1] }

// doorOf returns the longest entry of doors that an import falls under, or nothing.
func doorOf(imported string) string {
	longest := ""
	for library := range doors {
		if within(imported, library) && len(library) > len(longest) {
			longest = library
		}
	}
	return longest
}

func TestLibrariesHaveOneDoor(t *testing.T) {
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			if library := doorOf(imported); library != "" {
				allowed := doors[library]
				require.True(t, within(path, allowed...), "%s must not import %s; only %s may", path, imported, strings.Join(allowed, ", "))
			}
		}
	}
}
