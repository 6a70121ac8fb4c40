package cli_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/cli"
	"tasador/pkg/config"
)

// result is what a person sees of one command, and the settings that roles would have run with.
type result struct {
	code     int
	out, err string
	cfg      *config.Config
	roles    []string
}

func tasador(t *testing.T, args ...string) result {
	t.Helper()
	var r result
	var out, errOut bytes.Buffer
	app := cli.App{
		IO: cli.IO{Out: &out, Err: &errOut},
		RunRoles: func(_ context.Context, cfg *config.Config, roles []string, _ *slog.Logger, _ func()) error {
			cfg.SetDefaults(roles)
			r.cfg, r.roles = cfg, roles
			return nil
		},
	}
	r.code = app.Main(context.Background(), args)
	r.out, r.err = out.String(), errOut.String()
	return r
}

func TestWithoutAnythingThreeRolesRunOnDefaults(t *testing.T) {
	r := tasador(t)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, []string{"tracking", "pipeline", "serving"}, r.roles, "the source of invented listings must be asked for")
	data, err := filepath.Abs("data")
	require.NoError(t, err)
	require.Equal(t, "sqlite:"+data+"/rawdata.db", r.cfg.RawData.URL)
	require.Equal(t, "file:"+data+"/artifacts", r.cfg.Artifacts.URL)
	require.Equal(t, "http://127.0.0.1:5000", r.cfg.Tracking.URI)
	require.Empty(t, r.cfg.Source.URI)
	require.Equal(t, 10000, r.cfg.Gate.MinNewRecords)
}

func TestPrecedenceIsFlagEnvironmentFileDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tasador.yaml")
	require.NoError(t, os.WriteFile(file, []byte("gate:\n  min-new-records: 1\n  max-invalid-ratio: 0.1\n  nullable: [bath, bed]\nsource.day: Monday\n"), 0o600))
	t.Setenv("TASADOR_GATE_MAX_INVALID_RATIO", "0.2")
	t.Setenv("TASADOR_SOURCE_DAY", "Friday")
	r := tasador(t, "--config", file, "--source.day=Sunday")
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "Sunday", r.cfg.Source.Day)
	require.InDelta(t, 0.2, r.cfg.Gate.MaxInvalidRatio, 0)
	require.Equal(t, 1, r.cfg.Gate.MinNewRecords)
	require.Equal(t, []string{"bath", "bed"}, r.cfg.Gate.Nullable)
	require.Equal(t, 7, r.cfg.Source.GroupNumber)
}

func TestVariablesOfTheOriginalAreFallbacks(t *testing.T) {
	t.Setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5055")
	t.Setenv("AIRFLOW_CONN_MYSQL_CLEAN", "sqlite:/srv/clean.db")
	t.Setenv("RAW_DATA_DB_URI", "sqlite:/srv/raw.db")
	r := tasador(t)
	require.Equal(t, "http://127.0.0.1:5055", r.cfg.Tracking.URI)
	require.Equal(t, "sqlite:/srv/clean.db", r.cfg.CleanData.URL)
	require.Equal(t, "sqlite:/srv/raw.db", r.cfg.RawData.URL)
	t.Setenv("TASADOR_TRACKING_URI", "http://127.0.0.1:6000")
	require.Equal(t, "http://127.0.0.1:6000", tasador(t).cfg.Tracking.URI)
}

func TestWrongSettingsAreRefusedInOneSentence(t *testing.T) {
	dir := t.TempDir()
	unknownKey := filepath.Join(dir, "unknown.yaml")
	require.NoError(t, os.WriteFile(unknownKey, []byte("gate:\n  minimum: 3\n"), 0o600))
	notYAML := filepath.Join(dir, "broken.yaml")
	require.NoError(t, os.WriteFile(notYAML, []byte("a: b: c"), 0o600))
	aList := filepath.Join(dir, "list.yaml")
	require.NoError(t, os.WriteFile(aList, []byte("- 1\n- 2\n"), 0o600))
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--role=worker"}, []string{`no role "worker"`, "source, tracking, pipeline, serving"}},
		{[]string{"--role=serving,serving"}, []string{"names serving twice"}},
		{[]string{"--colour=red"}, []string{"unknown flag --colour", "--gate.min-new-records"}},
		{[]string{"--role=serving", "--gate.min-new-records=5"}, []string{"--gate.min-new-records is a flag of the role pipeline", "--serving.listen"}},
		{[]string{"--config", unknownKey}, []string{"unknown key gate.minimum", "gate.min-new-records"}},
		{[]string{"--config", notYAML}, []string{"not YAML"}},
		{[]string{"--config", filepath.Join(dir, "missing.yaml")}, []string{"the configuration file ", "missing.yaml cannot be read: no such file", "--config"}},
		{[]string{"--config", aList}, []string{"list.yaml is not YAML"}},
		{[]string{"--gate.max-invalid-ratio=1.5"}, []string{"--gate.max-invalid-ratio=1.5", "0 to 1"}},
		{[]string{"--gate.max-invalid-ratio=NaN"}, []string{"0 to 1"}},
		{[]string{"--gate.nullable=bath,garage"}, []string{`"garage" is not a required column`}},
		{[]string{"--serving.listen=0.0.0.0:8000"}, []string{"--serving.listen=0.0.0.0:8000", "--insecure"}},
		{[]string{"--serving.listen=:8000"}, []string{"--insecure"}},
		{[]string{"--serving.listen=8000"}, []string{"is not an address"}},
		{[]string{"--http.tls-cert=cert.pem"}, []string{"--http.tls-cert=cert.pem and --http.tls-key= belong together"}},
		{[]string{"--tracking.uri=localhost"}, []string{"--tracking.uri=localhost", "http://host:port"}},
		{[]string{"--source.uri=ftp://h/?token=hunter2"}, []string{"--source.uri=ftp://h/?token=xxxxx is not an address"}},
		{[]string{"--source.headers=hunter2"}, []string{"--source.headers has a line without a colon"}},
		{[]string{"--source.headers=Host: x"}, []string{"Host is set by tasador"}},
		{[]string{"--source.rate=-1"}, []string{"--source.rate=-1 is not a rate"}},
		{[]string{"--source.rate=NaN"}, []string{"is not a rate"}},
		{[]string{"--source.timeout=-1s"}, []string{"--source.timeout=-1s", "must not be negative"}},
		{[]string{"--source.exact"}, []string{"--source.exact needs --source.uri"}},
		{[]string{"--serving.model="}, []string{"--serving.model= with --serving.stage=Production names no version"}},
		{[]string{"--schedule.max-active-runs=2"}, []string{"only 1 is safe"}},
		{[]string{"--log.level=loud"}, []string{"--log.level=loud"}},
		{[]string{"teach"}, []string{"unexpected argument teach", "train"}},
	} {
		r := tasador(t, c.args...)
		require.NotZero(t, r.code, c.args)
		require.Nil(t, r.cfg, "nothing may start: %v", c.args)
		require.Empty(t, r.out)
		for _, want := range c.want {
			require.Contains(t, r.err, want, c.args)
		}
		require.Equal(t, 1, bytes.Count([]byte(r.err), []byte("\n")), "one line: %s", r.err)
	}
}

func TestUnknownVariableIsRefused(t *testing.T) {
	t.Setenv("TASADOR_GATE_MINIMUM", "3")
	r := tasador(t)
	require.NotZero(t, r.code)
	require.Contains(t, r.err, "TASADOR_GATE_MINIMUM is not a setting")
}

func TestServersWithACertificateSpeakHTTPS(t *testing.T) {
	r := tasador(t, "--role=source,tracking,pipeline", "--http.tls-cert=cert.pem", "--http.tls-key=key.pem")
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, []string{"https://127.0.0.1:5000", "https://127.0.0.1:8090"}, []string{r.cfg.Tracking.URI, r.cfg.Source.URI})
}

func TestOnlySettingsHaveVariables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tasador.yaml")
	require.NoError(t, os.WriteFile(file, []byte("source.day: Monday\n"), 0o600))
	t.Setenv("TASADOR_CONFIG", file)
	require.Equal(t, "Monday", tasador(t).cfg.Source.Day)

	t.Setenv("TASADOR_CSV", "listings.csv") // a flag of train and of demo: what to do once
	r := tasador(t, "train", "--as-of=2026-01-01")
	require.NotZero(t, r.code)
	require.Contains(t, r.err, "TASADOR_CSV is not a setting")
}

func TestInsecureAllowsOtherAddresses(t *testing.T) {
	require.Zero(t, tasador(t, "--serving.listen=0.0.0.0:8000", "--insecure").code)
}

func TestConfigPrintShowsWhatHoldsAndMasksPasswords(t *testing.T) {
	r := tasador(t, "config", "print", "--rawdata.url=mysql://ana:hunter2@db:3306/RawData", "--gate.nullable=bath,bed")
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "pipeline.listen: \"127.0.0.1:8080\"\n")
	require.Contains(t, r.out, "gate.nullable: \"bath,bed\"\n")
	require.Contains(t, r.out, "schedule.retry-delay: 5m0s\n")
	require.Contains(t, r.out, "ana:xxxxx@db:3306")
	require.NotContains(t, r.out, "hunter2")

	file := filepath.Join(t.TempDir(), "again.yaml")
	require.NoError(t, os.WriteFile(file, []byte(r.out), 0o600))
	require.Equal(t, r.out, tasador(t, "config", "print", "--config", file).out, "what is printed can be read back")
}

func TestHeadersOfTheSourceMayHoldCommasAndAreMasked(t *testing.T) {
	want := []string{"Authorization: Bearer hunter2", "Accept: text/json, */*"}
	flags := []string{"--source.headers", want[0], "--source.headers=" + want[1]}
	require.Equal(t, want, tasador(t, flags...).cfg.Source.Headers)
	file := filepath.Join(t.TempDir(), "tasador.yaml")
	require.NoError(t, os.WriteFile(file, []byte("source.headers:\n- 'Authorization: Bearer hunter2'\n- 'Accept: text/json, */*'\n"), 0o600))
	one := []string{want[0] + "\n" + want[1]} // a line each
	require.Equal(t, one, tasador(t, "--config", file).cfg.Source.Headers)
	t.Setenv("TASADOR_SOURCE_HEADERS", one[0])
	require.Equal(t, one, tasador(t).cfg.Source.Headers)

	for _, args := range [][]string{flags, {"--config", file}} {
		r := tasador(t, append([]string{"config", "print", "--source.uri=http://h/listings?token=hunter2"}, args...)...)
		require.Equal(t, 0, r.code, r.err)
		require.Contains(t, r.out, `source.headers: "Authorization: xxxxx\nAccept: xxxxx"`)
		require.Contains(t, r.out, `source.uri: "http://h/listings?token=xxxxx"`)
		require.NotContains(t, r.out, "hunter2")
	}
}

func TestReferenceOfSettingsIsUpToDate(t *testing.T) {
	written, err := os.ReadFile("../../docs/settings.md")
	require.NoError(t, err)
	require.Equal(t, string(written), tasador(t, "config", "reference").out, "write it again with make docs")
}

func TestACommandThatIsInterruptedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "listings.csv")
	var stdout, stderr bytes.Buffer
	app := cli.App{IO: cli.IO{Out: &stdout, Err: &stderr}}
	code := app.Main(ctx, []string{"source", "generate", "--rows", "100000", "--out", out})
	require.Equal(t, 130, code)
	require.Contains(t, stderr.String(), "tasador: interrupted")
	require.NoFileExists(t, out)
}

func TestRolesThatAreStoppedWhileTheyStartEndInGoodOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	app := cli.App{
		IO: cli.IO{Out: &stdout, Err: &stderr},
		RunRoles: func(ctx context.Context, _ *config.Config, _ []string, _ *slog.Logger, _ func()) error {
			cancel()
			return ctx.Err()
		},
	}
	require.Zero(t, app.Main(ctx, nil))
	require.Empty(t, stderr.String())
}

// TestPredictionsAreInRawData unless a bulk load into its file would hold them up.
func TestPredictionsAreInRawData(t *testing.T) {
	data, err := filepath.Abs("data")
	require.NoError(t, err)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"sqlite:" + data + "/predictions.db", nil},
		{"sqlite:" + data + "/predictions.db", []string{"--rawdata.url=sqlite:/tmp/raw.db"}},
		{"sqlite:/tmp/raw.db", []string{"--role=serving", "--rawdata.url=sqlite:/tmp/raw.db"}},
		{"sqlite:" + data + "/predictions.db", []string{"--role=serving"}},
		{"mysql://u@h/raw", []string{"--rawdata.url=mysql://u@h/raw"}},
		{"postgres://u@h/raw", []string{"--role=serving", "--rawdata.url=postgres://u@h/raw"}},
		{"postgres://u@h/other", []string{"--rawdata.url=mysql://u@h/raw", "--predictions.url=postgres://u@h/other"}},
	} {
		r := tasador(t, c.args...)
		require.Equal(t, 0, r.code, r.err)
		require.Equal(t, c.want, r.cfg.Predictions.URL, c.args)
	}
}
