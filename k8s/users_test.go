package k8s

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// imageFunction is what the image's start script offers to the scripts that it reads: see docker_process_sql there.
const imageFunction = `set -Eeo pipefail
docker_process_sql() { psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username tracking --dbname tracking "$@"; }
. "$0"`

// TestUsersOfPostgres makes the databases as the image does at its first start, and the first admin and a token as the documentation says.
func TestUsersOfPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	program, err := tasador()
	require.NoError(t, err, program)
	socket, address := startPostgres(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	password := `it's "a" \ :'x' $HOME / password`
	script := exec.Command("bash", "-c", imageFunction, "base/postgres/databases.sh")
	script.Env = append(os.Environ(), "AUTH_PASSWORD="+password, "PGHOST="+socket, "PGPORT="+port)
	out, err := script.CombinedOutput()
	require.NoError(t, err, "%s", out)

	users := url.URL{Scheme: "postgres", User: url.UserPassword("auth", password), Host: net.JoinHostPort(host, port), Path: "auth"}
	folder := t.TempDir() // the commands keep a line in the audit log there
	command := func(input string, args ...string) string {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "TASADOR_AUTH_URL="+users.String(), "TASADOR_DATA_DIR="+folder)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	command("a password of ana\n", "user", "add", "ana", "--role=admin")
	command("a password of robot\n", "user", "add", "robot", "--role=editor")
	require.True(t, strings.HasPrefix(command("", "token", "create", "robot", "servidor1"), "tsd_"))
	require.True(t, strings.HasPrefix(command("", "token", "create", "robot", "locust", "--role=viewer"), "tsd_"))
	require.Regexp(t, `(?m)^ana +admin`, command("", "user", "list"))

	users.User = url.UserPassword("auth", "another")
	wrong := exec.Command(program, "user", "list")
	wrong.Env = append(os.Environ(), "TASADOR_AUTH_URL="+users.String(), "TASADOR_DATA_DIR="+folder)
	require.Error(t, wrong.Run(), "any password opens the users")
}

// startPostgres runs a server whose superuser is tracking, as in the image: without a password on its socket, with one on the network.
func startPostgres(t *testing.T) (socket, address string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	require.NotEmpty(t, found, "PostgreSQL is missing; run make prepare: it installs it")
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "users") // its name is short enough for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary folder
	require.NoError(t, os.Chmod(dir, 0o755))
	data, address := filepath.Join(dir, "data"), freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	initdb := as(t, "postgres", dir, exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=tracking", "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256"))
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	ended := start(t, as(t, "postgres", dir, exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", host, "-p", port, "-k", dir, "-F")))
	waitFor(t, ended, func() bool {
		return exec.Command("psql", "-h", dir, "-p", port, "-U", "tracking", "-d", "postgres", "-c", "CREATE DATABASE tracking").Run() == nil
	})
	return dir, address
}
