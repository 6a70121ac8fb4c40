package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/audit"
)

func TestAuditShowsWhoChangedWhat(t *testing.T) {
	dir := t.TempDir()
	r := tasador(t, "audit", "--data-dir="+dir)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "there is no audit log in "+filepath.Join(dir, "audit"))

	l, err := audit.Open(audit.Options{Folder: filepath.Join(dir, "audit"), FileSize: 1 << 20, Files: 2}, nil)
	require.NoError(t, err)
	old := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	l.Record(audit.Entry{
		Time: old, User: "ana", Via: "token", Token: "nightly", Address: "192.0.2.7", Server: "tracking", Method: "POST", Action: "/runs/log-metric",
		Object: map[string]string{"run_id": "r1", "experiment_id": "3"}, Outcome: audit.Done, Status: 200, Count: 41,
	}, false)
	l.Record(audit.Entry{Time: time.Now(), User: "bob\x1b[2J", Action: "/login", Outcome: audit.Refused, Status: 401, Error: "no"}, false)
	require.NoError(t, l.Close())

	r = tasador(t, "audit", "--data-dir="+dir)
	require.Equal(t, 0, r.code, r.err)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	require.Equal(t, "2026-01-02 03:04:05.006  ana (token nightly)  192.0.2.7  tracking POST /runs/log-metric experiment_id=3 run_id=r1  done 200  and 41 more", lines[0])
	require.Contains(t, lines[1], "bob?[2J  /login  refused 401  no")
	require.Len(t, lines, 2)
	for _, args := range [][]string{{"--since=24h"}, {"--since=7d"}, {"--since=2026-01-03"}, {"--since=2026-01-02T03:04:06Z"}} {
		require.Equal(t, 1, strings.Count(tasador(t, append([]string{"audit", "--data-dir=" + dir}, args...)...).out, "\n"), args)
	}
	require.Equal(t, lines[0]+"\n", tasador(t, "audit", "--data-dir="+dir, "--user=ana").out)
	var e audit.Entry
	require.NoError(t, json.Unmarshal([]byte(tasador(t, "audit", "--data-dir="+dir, "--user=ana", "--json").out), &e))
	require.Equal(t, 41, e.Count)
	r = tasador(t, "audit", "--data-dir="+dir, "--since=yesterday")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.err, "--since=yesterday is neither a time")
}

func TestChangesOfUsersByTheCommandLineAreKept(t *testing.T) {
	dir := "--data-dir=" + t.TempDir()
	for _, args := range [][]string{
		{"user", "add", "Ana", "--role=admin"}, {"user", "list"}, {"user", "role", "ana", "editor"}, {"token", "create", "ana", "nightly", "--role=viewer"},
		{"token", "revoke", "ana", "nightly"}, {"user", "password", "ana"}, {"user", "remove", "nobody"},
	} {
		typed(t, "correct horse battery\n", append(args, dir)...)
	}
	r := tasador(t, "audit", dir)
	require.Equal(t, 0, r.code, r.err)
	require.NotContains(t, r.out, "battery")
	var seen []string
	for _, line := range strings.Split(strings.TrimSpace(r.out), "\n") {
		_, what, found := strings.Cut(line, " (command)  ")
		require.True(t, found, line)
		seen = append(seen, what)
	}
	require.Len(t, seen, 6)
	require.Equal(t, "user add name=ana role=admin  done", seen[0])
	require.Equal(t, "token create name=ana role=viewer token=nightly  done", seen[2])
	require.Contains(t, seen[5], "user remove name=nobody  failed")
}
