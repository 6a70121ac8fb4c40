package ci_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

func TestTheSmokeTestLetsTheRealBinaryPassAndStopsAnyOther(t *testing.T) {
	bin := testkit.Build(t)
	o := try(t, ".", nil, "./smoke.py", "--binary", bin)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, "✅ Entrenamiento: 120 filas, 8 variables, alfa 100.0, RMSE 573394.47", o.stdout)
	for name, c := range map[string]struct{ script, says string }{
		"another RMSE":       {bin + ` "$@" | sed 's/"test_rmse": 573394/"test_rmse": 573395/'`, ".test_rmse is 573395"},
		"another split":      {bin + ` "$@" | sed '0,/"rows": 72/s//"rows": 71/'`, ".split.train.rows is 71 and not 72"},
		"a feature too few":  {bin + ` "$@" | sed '0,/"acre_lot",/s///'`, "❌ Entrenamiento"},
		"it fails":           {"echo no memory >&2; exit 3", "ended with 3: no memory"},
		"it prints no JSON":  {"echo done", "❌ Entrenamiento"},
		"it prints nothing":  {"exit 0", "❌ Entrenamiento"},
		"a number with name": {bin + ` "$@" | sed 's/"best_alpha": 100.0/"best_alpha": "100.0"/'`, ".best_alpha is '100.0' and not 100.0"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := filepath.Join(t.TempDir(), "tasador")
			require.NoError(t, os.WriteFile(wrong, fmt.Appendf(nil, "#!/bin/sh\n%s\n", c.script), 0o700))
			o := try(t, ".", nil, "./smoke.py", "--binary", wrong)
			require.Equal(t, 1, o.code)
			require.Empty(t, o.stdout)
			require.Contains(t, o.stderr, c.says)
		})
	}
}

func TestTheTagIsTheDayAndTheNumberOfTheRun(t *testing.T) {
	before := time.Now().UTC().Format("20060102")
	tag := run(t, ".", "./image-tag.sh", "42")
	require.Contains(t, []string{before + "-42", time.Now().UTC().Format("20060102") + "-42"}, tag)
	for _, number := range []string{"", "0", "x", "1;id", "-1"} {
		require.Equal(t, 2, try(t, ".", nil, "./image-tag.sh", number).code, number)
	}
}
