package roles_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/config"
	"tasador/pkg/outgoing"
	"tasador/pkg/testkit"
)

// TestOneProcessGuarded lets the roles of one process work with each other while everybody else has to log in.
func TestOneProcessGuarded(t *testing.T) {
	users := "sqlite:" + filepath.Join(t.TempDir(), "auth.db")
	_, tokens := addUsers(t, users)
	s := startStack(t, func(cfg *config.Config) { cfg.Auth.Enabled, cfg.Auth.URL = true, users }, config.RoleNames()...)
	s.how = outgoing.Options{Login: outgoing.Login{Token: tokens[auth.Editor]}}
	s.runDAG(t, "first")
	predict := func(token string) int {
		header := http.Header{"Content-Type": {"application/json"}}
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		status, _ := send(t, http.MethodPost, s.serving("/predict"), header, example)
		return status
	}
	require.Eventually(t, func() bool { return predict(tokens[auth.Viewer]) == http.StatusOK }, time.Minute, 20*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, predict(""))
}

// fleet is the roles as processes of their own that share an authority and the users.
type fleet struct {
	*testing.T
	bin, folder string
	authority   *testkit.Authority
	processes   map[string]*testkit.Process
	tokens      map[string]string // user → file
}

// startFleet starts all roles with TLS, behind a login. The users are called as their roles, and roles ask each other as robot, an editor.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{T: t, bin: testkit.Build(t), folder: t.TempDir(), authority: testkit.NewAuthority(t), processes: map[string]*testkit.Process{}, tokens: map[string]string{}}
	for user, role := range map[string]string{"admin": "admin", "editor": "editor", "viewer": "viewer", "robot": "editor"} {
		f.must(password+"\n", "user", "add", user, "--role="+role)
		f.tokens[user] = filepath.Join(f.folder, user+".token")
		require.NoError(t, os.WriteFile(f.tokens[user], []byte(f.must("", "token", "create", user, "test")), 0o600))
	}
	f.start("source", "--source.batches=10500")
	f.start("tracking")
	f.start("pipeline", "--schedule.cron=none", "--source.auth", "--source.uri", f.uri("source"), "--tracking.uri", f.uri("tracking"))
	f.start("serving", "--serving.follow=100ms", "--tracking.uri", f.uri("tracking"), "--auth.token-file", f.tokens["viewer"]) // it only reads
	return f
}

func (f *fleet) users() string { return "sqlite:" + filepath.Join(f.folder, "auth.db") }

func (f *fleet) data(role string) string { return filepath.Join(f.folder, role) }

func (f *fleet) start(role string, args ...string) {
	f.Helper()
	pair := f.authority.Issue(f, f.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
	f.processes[role] = testkit.Start(f, f.bin, 1, append([]string{
		"--role=" + role, "--data-dir", f.data(role), "--" + role + ".listen=127.0.0.1:0", "--http.tls-cert", pair.Cert, "--http.tls-key", pair.Key,
		"--http.ca", f.authority.File, "--auth.enabled", "--auth.url", f.users(), "--auth.token-file", f.tokens["robot"],
	}, args...)...)
}

func (f *fleet) uri(role string) string { return f.processes[role].Addresses[role] }

// run runs a command. Those about users find their database.
func (f *fleet) run(input string, args ...string) (string, error) {
	cmd := exec.Command(f.bin, args...)
	if args[0] == "user" || args[0] == "token" {
		cmd.Args = append(cmd.Args, "--auth.url", f.users(), "--data-dir", f.data("command"))
	}
	cmd.Stdin = strings.NewReader(input)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%v: %w: %s", args, err, &complaints)
	}
	return out.String(), nil
}

func (f *fleet) must(input string, args ...string) string {
	f.Helper()
	out, err := f.run(input, args...)
	require.NoError(f, err)
	return out
}

// as adds to a command who asks.
func (f *fleet) as(user string, args ...string) []string {
	return append(args, "--http.ca", f.authority.File, "--auth.token-file", f.tokens[user])
}

func (f *fleet) token(user string) string {
	f.Helper()
	content, err := os.ReadFile(f.tokens[user])
	require.NoError(f, err)
	return strings.TrimSpace(string(content))
}

// predict asks serving as a user, or as nobody.
func (f *fleet) predict(user string) (int, string) {
	f.Helper()
	return f.ask(user, http.MethodPost, f.uri("serving")+"/predict", example)
}

func (f *fleet) ask(user, method, address, body string) (int, string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, address, strings.NewReader(body))
	require.NoError(f, err)
	req.Header.Set("Content-Type", "application/json")
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+f.token(user))
	}
	return sendBy(f.T, f.authority.Client(f), req)
}

// python runs a script with variables, and fails if the script does.
func (f *fleet) python(script string, env []string, args ...string) string {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), testkit.Venv(f, "python"), append([]string{filepath.Join(testkit.ModuleRoot(f), "scripts", "python", script)}, args...)...)
	cmd.Dir = f.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "TMPDIR="+cmd.Dir, "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet", "MLFLOW_TRACKING_SERVER_CERT_PATH="+f.authority.File)
	cmd.Env = append(cmd.Env, env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(f, err, "%s%s", &complaints, out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func TestGuardedStack(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	f := startFleet(t)
	trigger := []string{"dags", "trigger", "realtor_price_model", "--wait", "--pipeline-uri", f.uri("pipeline")}
	_, err := f.run("", append(trigger, "--http.ca", f.authority.File)...)
	require.ErrorContains(t, err, "does not know who asks; make a token there with tasador token create")
	_, err = f.run("", f.as("viewer", trigger...)...)
	require.ErrorContains(t, err, "viewer is viewer, who may not do this")
	_, err = f.run("", f.as("editor", trigger...)...)
	require.NoError(t, err, f.processes["pipeline"].Log())
	require.Eventually(t, func() bool { status, _ := f.predict("viewer"); return status == http.StatusOK }, time.Minute, 100*time.Millisecond,
		"the promotion reaches serving: %s", f.processes["serving"].Log())
	status, _ := f.predict("")
	require.Equal(t, http.StatusUnauthorized, status)
	f.must("", f.as("viewer", "status", "--pipeline-uri", f.uri("pipeline"), "--tracking-uri", f.uri("tracking"), "--serving-uri", f.uri("serving"))...)
	f.must("", f.as("viewer", "loadtest", "--url", f.uri("serving"), "--rate=50", "--duration=1s", "--max-error-ratio=0")...)
	_, err = f.run("", "loadtest", "--http.ca", f.authority.File, "--url", f.uri("serving"), "--rate=50", "--duration=1s", "--max-error-ratio=0")
	require.Error(t, err)

	t.Run("MLflow's client", func(t *testing.T) { f.testMLflow(t) })
	f.requireAudited()

	f.processes["tracking"].Stop(t)
	status, _ = f.predict("viewer")
	require.Equal(t, http.StatusOK, status, "serving needs no tracking to know who asks")
	status, _ = f.predict("")
	require.Equal(t, http.StatusUnauthorized, status)
}

// requireAudited looks for what the test has changed, and tried to change, in the audit logs of the servers.
func (f *fleet) requireAudited() {
	f.Helper()
	for role, patterns := range map[string][]string{
		"command":  {`\(command\)  user add name=viewer role=viewer  done`, `\(command\)  token create name=robot role=admin token=test  done`},
		"source":   {`robot \(token test\)  127.0.0.1  source GET /data  done 200`},
		"pipeline": {`editor \(token test\)  127.0.0.1  pipeline POST /api/v2/dags/:dag_id/dagRuns dag_id=realtor_price_model dag_run_id=manual__\S+  done 200`, `viewer \(token test\)  .*  refused 403  viewer is viewer`},
		"tracking": {
			`robot \(token test\)  127.0.0.1  tracking POST \S+/runs/log-batch run_id=\w+  done 200`, `model-versions/transition-stage name=RealtorPriceModel stage=Production version=1  done`,
			`editor \(password\)  .*runs/create`, `editor \(claim\)  .*  refused 401  the login is not right`, `viewer \(password\)  .*registered-models/create .*refused 403`,
		},
	} {
		require.Eventually(f, func() bool {
			out := f.must("", "audit", "--data-dir", f.data(role))
			return !slices.ContainsFunc(patterns, func(p string) bool { return !regexp.MustCompile(p).MatchString(out) })
		}, time.Minute, 200*time.Millisecond, "%s of %s", f.must("", "audit", "--data-dir", f.data(role)), role)
	}
	require.NotContains(f, f.must("", "audit", "--data-dir", f.data("serving")), "/predict ", "a prediction is no change")
	status, page := f.ask("viewer", http.MethodGet, f.uri("tracking")+"/models/RealtorPriceModel", "")
	require.Equal(f, http.StatusOK, status)
	require.Contains(f, page, "robot", "the page says who has promoted the version")
}

// testMLflow asks tracking with MLflow's own package, as several users and in all the ways that it knows.
func (f *fleet) testMLflow(t *testing.T) {
	byPassword := func(user string) []string {
		return []string{"MLFLOW_TRACKING_USERNAME=" + user, "MLFLOW_TRACKING_PASSWORD=" + password}
	}
	for name, env := range map[string][]string{
		"a password":                      byPassword("editor"),
		"a token":                         {"MLFLOW_TRACKING_TOKEN=" + f.token("editor")},
		"a token in the password's place": {"MLFLOW_TRACKING_USERNAME=editor", "MLFLOW_TRACKING_PASSWORD=" + f.token("editor")},
	} {
		var wrote struct {
			Run    string
			Metric float64
			Text   string
		}
		require.NoError(t, json.Unmarshal([]byte(f.python("guarded_flow.py", env, f.uri("tracking"), "write")), &wrote), name)
		require.NotEmpty(t, wrote.Run, name)
		require.InDelta(t, 1.5, wrote.Metric, 0, name)
		require.Equal(t, "through the proxy", wrote.Text, name)
	}
	type refusal struct{ Code, Message string }
	for name, c := range map[string]struct {
		env          []string
		search, rest string // codes; empty if it is allowed
	}{
		"a viewer":         {byPassword("viewer"), "", "PERMISSION_DENIED"},
		"a wrong password": {[]string{"MLFLOW_TRACKING_USERNAME=editor", "MLFLOW_TRACKING_PASSWORD=wrong wrong wrong"}, "UNAUTHENTICATED", "UNAUTHENTICATED"},
		"a wrong token":    {[]string{"MLFLOW_TRACKING_TOKEN=tsd_wrong"}, "UNAUTHENTICATED", "UNAUTHENTICATED"},
		"nobody":           {nil, "UNAUTHENTICATED", "UNAUTHENTICATED"},
	} {
		var got map[string]*refusal
		require.NoError(t, json.Unmarshal([]byte(f.python("guarded_flow.py", c.env, f.uri("tracking"), "read")), &got), name)
		for call, r := range got {
			want := c.rest
			if call == "search" {
				want = c.search
			}
			if want == "" {
				require.Nil(t, r, "%s: %s", name, call)
				continue
			}
			require.NotNil(t, r, "%s: %s", name, call)
			require.Equal(t, want, r.Code, "%s: %s: %s", name, call, r.Message)
		}
	}
}
