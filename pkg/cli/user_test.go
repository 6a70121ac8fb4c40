package cli_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/cli"
	"tasador/pkg/sqlstore/authstore"
)

// typed runs a command with a standard input.
func typed(t *testing.T, in string, args ...string) result {
	t.Helper()
	var r result
	var out, errOut bytes.Buffer
	app := cli.App{IO: cli.IO{In: strings.NewReader(in), Out: &out, Err: &errOut}}
	r.code = app.Main(context.Background(), args)
	r.out, r.err = out.String(), errOut.String()
	return r
}

func TestUsersAreKeptFromTheCommandLine(t *testing.T) {
	dir := "--data-dir=" + t.TempDir()
	const password = "correct horse battery"
	r := typed(t, "", "user", "list", dir)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "make one with tasador user add")

	r = typed(t, password+"\n", "user", "add", "Ana", "--role=admin", dir)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "added ana, admin\n", r.out)
	require.NotContains(t, r.err, password)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(password+"\r\nmore\n"), 0o600))
	r = typed(t, "", "user", "add", "bob", "--password-file="+file, dir)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "added bob, viewer\n", r.out)
	r = typed(t, "", "user", "list", dir)
	require.Regexp(t, `(?m)^ana +admin +\d{4}-`, r.out)
	require.Regexp(t, `(?m)^bob +viewer +\d{4}-`, r.out)
	require.NotContains(t, r.out, "argon2id")

	for _, c := range []struct {
		in, says string
		args     []string
	}{
		{"short\n", "too short", []string{"user", "add", "carl"}},
		{"", "too short", []string{"user", "add", "carl"}},
		{password, "no user name", []string{"user", "add", "carl; DROP TABLE auth_user"}},
		{password, "already exists", []string{"user", "add", "ANA"}},
		{password, "must be one of", []string{"user", "add", "carl", "--role=root"}},
		{password, "unexpected argument", []string{"user", "add", "carl", password}},
		{"", "check --password-file", []string{"user", "add", "carl", "--password-file=" + file + "x"}},
		{"", "ana is the only admin", []string{"user", "role", "ana", "viewer"}},
		{"", "ana is the only admin", []string{"user", "remove", "ana"}},
		{"", "the user carl does not exist", []string{"user", "remove", "carl"}},
		{password, "the user carl does not exist", []string{"user", "password", "carl"}},
	} {
		r := typed(t, c.in, append(c.args, dir)...)
		require.NotZero(t, r.code, c.args)
		require.Contains(t, r.err, c.says, c.args)
		require.Empty(t, r.out)
	}

	require.Equal(t, "bob is editor now\n", typed(t, "", "user", "role", "bob", "editor", dir).out)
	require.Zero(t, typed(t, "another password\n", "user", "password", "bob", dir).code)
	store, err := authstore.Open(t.Context(), "sqlite:"+strings.TrimPrefix(dir, "--data-dir=")+"/auth.db", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer store.Close()
	a := auth.New(store, auth.Limits{})
	defer a.Close()
	p, err := a.Password(t.Context(), "bob", "another password", "")
	require.NoError(t, err)
	require.Equal(t, auth.Editor, p.Role)
	p, err = a.Password(t.Context(), "ana", password, "")
	require.NoError(t, err)
	require.Equal(t, auth.Admin, p.Role)
	require.Equal(t, "removed bob with all tokens and logins\n", typed(t, "", "user", "remove", "bob", dir).out)
}

func TestTokensAreKeptFromTheCommandLine(t *testing.T) {
	dir := "--data-dir=" + t.TempDir()
	require.Zero(t, typed(t, "correct horse battery", "user", "add", "ana", "--role=admin", dir).code)
	r := typed(t, "", "token", "create", "ana", "nightly import", "--role=editor", "--expires=90d", dir)
	require.Equal(t, 0, r.code, r.err)
	require.Regexp(t, regexp.MustCompile(`^tsd_[A-Za-z0-9_-]{43}\n$`), r.out)
	secret := strings.TrimSpace(r.out)
	r = typed(t, "", "token", "list", dir)
	require.Regexp(t, `(?m)^1 +ana +nightly import +editor +\d{4}\S+ \S+ +\d{4}\S+ \S+ +never$`, r.out)
	require.NotContains(t, r.out, secret[4:])
	require.Contains(t, typed(t, "", "token", "create", "ana", "nightly import", dir).err, "already exists")
	require.Contains(t, typed(t, "", "token", "create", "bob", "x", dir).err, "the user bob does not exist")
	require.Contains(t, typed(t, "", "token", "revoke", "ana", "nightly", dir).err, "ana has no token nightly")
	require.Equal(t, "revoked nightly import of ana\n", typed(t, "", "token", "revoke", "ana", "nightly import", dir).out)
	require.NotContains(t, typed(t, "", "token", "list", dir).out, "nightly")
}

// TestTheRoleOfAUserIsNotThoseToRun adds a user on a server whose environment and configuration file say which roles run there.
func TestTheRoleOfAUserIsNotThoseToRun(t *testing.T) {
	t.Setenv("TASADOR_ROLE", "tracking")
	dir := t.TempDir()
	t.Setenv("TASADOR_DATA_DIR", dir)
	file := filepath.Join(dir, "tasador.yaml")
	require.NoError(t, os.WriteFile(file, []byte("role: [pipeline]\n"), 0o600))
	t.Setenv("TASADOR_CONFIG", file)
	r := typed(t, "correct horse battery\n", "user", "add", "ana")
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "added ana, viewer\n", r.out)
	r = typed(t, "", "token", "create", "ana", "nightly")
	require.Equal(t, 0, r.code, r.err)
	r = typed(t, "", "user", "list")
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "ana")
}
