package roles_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// TestUsersOnAServerMayBeAway takes the database of users away from a server that knows a token, and from one that starts.
func TestUsersOnAServerMayBeAway(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	bin, postgres := testkit.Build(t), testkit.StartPostgres(t)
	users, folder := "--auth.url="+postgres.NewDatabase(t), "--data-dir="+t.TempDir()
	command := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), bin, append(args, users, folder)...)
		cmd.Stdin = strings.NewReader(password)
		out, err := cmd.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	command("user", "add", "ana", "--role=admin")
	token, unknown := command("token", "create", "ana", "known"), command("token", "create", "ana", "unknown")
	address := testkit.FreeAddress(t)
	serve := []string{"--role=source", "--auth.enabled", users, folder, "--source.listen=" + address}
	first := testkit.Launch(t, nil, bin, serve...)
	require.True(t, first.Ready(t, 1), first.Log())
	ask := func(token string) int {
		status, _ := send(t, http.MethodGet, "http://"+address+"/buildinfo", bearer(token), "")
		return status
	}
	require.Equal(t, http.StatusOK, ask(token))
	postgres.Stop(t)
	require.Equal(t, http.StatusServiceUnavailable, ask(unknown), "nobody knows this one")
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); <-look.C { // beyond what counts as fresh
		require.Equal(t, http.StatusOK, ask(token))
	}
	status, body := send(t, http.MethodGet, "http://"+address+"/readyz", nil, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "nobody can log in anew: ")
	first.Kill(t)

	hasty := testkit.Launch(t, nil, bin, serve...)
	require.False(t, hasty.Ready(t, 1))
	hasty.Failed(t)
	patient := testkit.Launch(t, nil, bin, append(serve, "--start-wait=10m")...)
	waits(t, patient, "does not answer")
	require.Eventually(t, func() bool { return ask(token) == http.StatusServiceUnavailable }, time.Minute, 20*time.Millisecond)
	postgres.Restart(t)
	require.True(t, patient.Ready(t, 1), patient.Log())
	require.Equal(t, http.StatusOK, ask(token))
	require.Equal(t, http.StatusUnauthorized, ask("tsd_wrong"))
}
