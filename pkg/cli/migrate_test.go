package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/cli"
	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// migrate runs a command of migrate on a data folder that no role uses, or that one holds.
func migrate(t *testing.T, held error, args ...string) (result, []string) {
	t.Helper()
	var r result
	var asked []string
	var out, errOut bytes.Buffer
	app := cli.App{
		IO: cli.IO{Out: &out, Err: &errOut},
		HoldRoles: func(_ context.Context, _ *config.Config, roles []string) (func() error, error) {
			asked = append(asked, roles...)
			return func() error { return nil }, held
		},
	}
	r.code = app.Main(t.Context(), append([]string{"migrate"}, args...))
	r.out, r.err = out.String(), errOut.String()
	return r, asked
}

func TestASchemaIsSteppedByHand(t *testing.T) {
	steps, err := os.ReadDir(filepath.Join(testkit.ModuleRoot(t), "migrations", "tracking", "sqlite"))
	require.NoError(t, err)
	newest := strconv.Itoa(len(steps))
	dir := "--data-dir=" + t.TempDir()
	r, asked := migrate(t, nil, "up", "--store=tracking", "--to=1", dir)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "tracking: schema version 0 → 1 of "+newest+"\n", r.out)
	require.Equal(t, []string{"tracking"}, asked)
	r, _ = migrate(t, nil, "up", "--store=tracking", dir)
	require.Equal(t, "tracking: schema version 1 → "+newest+" of "+newest+"\n", r.out, r.err)
	r, _ = migrate(t, nil, "status", dir)
	require.Equal(t, 0, r.code, r.err)
	require.Regexp(t, `(?m)^tracking +`+newest+` +`+newest+` +sqlite:`, r.out)
	require.Regexp(t, `(?m)^predictions +- +- +sqlite:`, r.out)

	// Without --yes it only says what would be lost.
	r, _ = migrate(t, nil, "down", "--store=tracking", "--to=1", dir)
	require.Equal(t, 1, r.code)
	require.Regexp(t, `(?m)^version 2: .*DROP TABLE`, r.out)
	require.NotContains(t, r.out, "version 1")
	require.Contains(t, r.err, "nothing was done; back the database up, then say --yes")
	r, _ = migrate(t, nil, "down", "--store=tracking", "--to=1", "--yes", dir)
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "tracking: schema version "+newest+" → 1 of "+newest+"\n")
	r, _ = migrate(t, nil, "status", dir)
	require.Regexp(t, `(?m)^tracking +1 +`+newest+` +sqlite:`, r.out)
}

func TestMigrateRefusesWhatMakesNoSense(t *testing.T) {
	folder := t.TempDir()
	dir := "--data-dir=" + folder
	for says, args := range map[string][]string{
		"there is no database sqlite:" + filepath.Join(folder, "rawdata.db"): {"down", "--store=rawdata", "--to=0", dir},
		"--store must be one of":                           {"up", "--store=nothing", dir},
		"missing flags: --to=N":                            {"down", "--store=tracking", dir},
		"--to=9 is not ahead":                              {"up", "--store=tracking", "--to=9", dir},
		"does not answer":                                  {"status", "--tracking.db=mysql://u@127.0.0.1:1/x", dir},
		"database URL \"oracle:x\" has the unknown scheme": {"up", "--store=tracking", "--tracking.db=oracle:x", dir},
	} {
		r, _ := migrate(t, nil, args...)
		require.NotEqual(t, 0, r.code, args)
		require.Contains(t, r.err, says)
	}
	r, _ := migrate(t, errors.New("another process already runs the role"), "up", "--store=tracking", dir)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "another process already runs the role")
}
