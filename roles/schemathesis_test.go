package roles_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// TestServingKeepsToItsDocument has schemathesis make requests of the OpenAPI document of serving, good ones and bad ones, and holds every answer to it.
func TestServingKeepsToItsDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	schemathesis(t, s, 3)
}

// schemathesis makes at most that many requests of each operation in each of its ways, beside those of the document's examples and limits.
func schemathesis(t *testing.T, s *stack, examples int, more ...string) {
	t.Helper()
	program := filepath.Join(testkit.ModuleRoot(t), ".cache", "venv-clients", "bin", "schemathesis")
	require.FileExists(t, program, "the Python packages are missing; run make test: it installs them")
	cmd := exec.Command(program, append([]string{"run", s.serving("/openapi.json"), "--no-color", "--seed=1", "--generation-database=none",
		"--phases=examples,coverage,fuzzing", "--max-examples=" + strconv.Itoa(examples),
		"--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"}, more...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	status, body := get(t, s.serving("/openapi.json"))
	require.Equal(t, http.StatusOK, status)
	var doc struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal([]byte(body), &doc))
	require.Contains(t, string(out), "Tested: "+strconv.Itoa(len(doc.Paths)-1), "it leaves the document itself out, and nothing else")
}
