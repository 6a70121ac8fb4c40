//go:build verify

package packages_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// servers are three machines with the package as docs/deploy-vms.md sets them up, behind a login, on real servers.
type servers struct {
	*machine
	at       network
	postgres *testkit.DatabaseServer
	mariadb  *testkit.DatabaseServer
	objects  *s3test.Server
	rawdata  string // URL of the database of predictions
	running  map[string]*instance
}

// TestThreeServersUnderLoad takes tracking, the pipeline and every server of others away from serving, one by one and all at once, and upgrades the roles. All the
// time somebody asks for prices: each request gets one. Then serving itself is killed and upgraded; what it had answered is kept.
func TestThreeServersUnderLoad(t *testing.T) {
	s := newServers(t)
	s.install(released(t, "deb", "1.0.0"))
	s.setUp()
	for _, role := range []string{"source", "tracking", "pipeline", "serving"} {
		s.running[role] = s.start(role, signs)
	}
	s.train("before")
	s.running["serving"].waitFor("STATUS=serving is ready")

	const version = "1.1.0"
	load := s.startLoad()
	s.away("tracking", func() { s.running["tracking"].kill() }, func() { s.running["tracking"] = s.start("tracking", signs) })
	s.away("the pipeline", func() { s.running["pipeline"].kill() }, func() { s.running["pipeline"] = s.start("pipeline", signs) })
	s.install(makePackage(t, "deb", version, binary(t, version), nil))
	s.upgrade("tracking", version)
	s.upgrade("pipeline", version)
	s.train("upgraded")
	s.away("PostgreSQL", func() { s.postgres.Stop(t) }, func() { s.postgres.Restart(t) })
	s.away("MariaDB", func() { s.mariadb.Stop(t) }, func() { s.mariadb.Restart(t) })
	s.away("S3", func() { s.objects.Stop(t) }, func() { s.objects.Restart(t) })
	s.away("everything", func() {
		s.running["tracking"].kill()
		s.running["pipeline"].kill()
		s.postgres.Stop(t)
		s.mariadb.Stop(t)
		s.objects.Stop(t)
	}, func() {
		s.postgres.Restart(t)
		s.mariadb.Restart(t)
		s.objects.Restart(t)
		s.running["tracking"], s.running["pipeline"] = s.start("tracking", signs), s.start("pipeline", signs)
	})
	s.train("after")
	report := load()
	require.Zero(t, report.Errors, "%v", report.Answers)
	require.Greater(t, report.Good, uint64(7*answersEach))
	s.requireRecorded(report.Good, report.Sent)

	load = s.startLoad()
	s.moreAnswers("before serving is killed")
	s.running["serving"].kill()
	s.running["serving"] = s.start("serving", signs)
	s.moreAnswers("after serving was killed")
	s.running["serving"].stop()
	s.running["serving"] = s.start("serving", signs)
	s.moreAnswers("after serving was upgraded")
	again := load()
	for _, answer := range again.Answers {
		require.Contains(t, []string{"200", "connection refused", "connection broken off"}, answer.Status, "clients may ask again at once")
	}
	s.requireRecorded(report.Good+again.Good, report.Sent+again.Sent)
	t.Logf("while others were away: %d answers, %d errors; while serving was killed and upgraded: %v", report.Good, report.Errors, again.Answers)
}

func newServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{machine: newMachine(t), at: newNetwork(), running: map[string]*instance{}}
	s.postgres, s.mariadb, s.objects = testkit.StartPostgres(t), testkit.StartMariaDB(t), s3test.Start(t)
	s.objects.MakeBucket(t, "mlflow")
	return s
}

func (s *servers) install(file string) {
	s.t.Helper()
	s.output("dpkg", "--install", s.take(file))
}

// setUp writes the settings and makes the users, as the page says.
func (s *servers) setUp() {
	s.t.Helper()
	s.rawdata = s.mariadb.NewDatabase(s.t)
	lines := append([]string{
		"TASADOR_AUTH_ENABLED=true", "TASADOR_AUTH_URL=" + s.postgres.NewDatabase(s.t), "TASADOR_AUTH_TOKEN_FILE=/etc/tasador/token", "TASADOR_AUTH_OPEN_METRICS=true",
		"TASADOR_SERVING_LISTEN=" + s.at.serving, "TASADOR_SOURCE_AUTH=true",
		"TASADOR_TRACKING_DB=" + s.postgres.NewDatabase(s.t), "TASADOR_PIPELINE_DB=" + s.postgres.NewDatabase(s.t),
		"TASADOR_RAWDATA_URL=" + s.rawdata, "TASADOR_CLEANDATA_URL=" + s.mariadb.NewDatabase(s.t),
		"TASADOR_ARTIFACTS_URL=s3://mlflow/tasador", "TASADOR_ARTIFACTS_ENDPOINT=" + s.objects.Endpoint,
	}, s.objects.Env()...)
	s.write(settings, s.at.settings()+strings.Join(lines, "\n")+"\n", 0o600)

	user := func(input string, args ...string) string {
		cmd := s.command("tasador", append(args, "--data-dir=/var/lib/tasador/tracking")...)
		cmd.Env = append(cmd.Env, lines[1])
		cmd.SysProcAttr.Credential = s.account("tasador")
		cmd.Stdin = strings.NewReader(input)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		require.NoError(s.t, err, "%v: %s", args, &complaints)
		return string(out)
	}
	user("horse-battery-ana\n", "user", "add", "ana", "--role=admin")
	user("horse-battery-robot\n", "user", "add", "robot", "--role=editor")
	s.write("/etc/tasador/token", user("", "token", "create", "robot", "servers"), 0o640)
	s.output("chgrp", "tasador", "/etc/tasador/token")
}

// train runs the DAG.
func (s *servers) train(id string) {
	s.t.Helper()
	s.output("tasador", "dags", "trigger", "realtor_price_model", "--run-id="+id, "--wait", "--pipeline-uri=http://"+s.at.pipeline, "--auth.token-file=/etc/tasador/token")
}

// upgrade ends a role as a package that is upgraded does, and sees that the one that takes its place is newer.
func (s *servers) upgrade(role, version string) {
	s.t.Helper()
	s.away(role, func() { s.running[role].stop() }, func() { s.running[role] = s.start(role, signs) })
	out := s.output("curl", "--silent", "--fail", "--header", "Authorization: Bearer "+strings.TrimSpace(s.read("/etc/tasador/token")),
		"http://"+map[string]string{"tracking": s.at.tracking, "pipeline": s.at.pipeline}[role]+"/buildinfo")
	require.Contains(s.t, out, version)
}

// answersEach is how many prices are to be answered during and after each change.
const answersEach = 100

// away takes something away, and brings it back when enough prices were answered without it.
func (s *servers) away(what string, take, bring func()) {
	s.t.Helper()
	take()
	s.moreAnswers("while " + what + " is away")
	bring()
	s.moreAnswers("when " + what + " is back")
}

var answers = regexp.MustCompile(`(?m)^inference_requests_total (\S+)$`)

func (s *servers) moreAnswers(when string) {
	s.t.Helper()
	count := func() float64 {
		status, body := get(s.t, "http://"+s.at.serving+"/metrics")
		require.Equal(s.t, http.StatusOK, status)
		found := answers.FindStringSubmatch(body)
		require.NotNil(s.t, found)
		n, err := strconv.ParseFloat(found[1], 64)
		require.NoError(s.t, err)
		return n
	}
	before := count()
	require.Eventually(s.t, func() bool { return count() >= before+answersEach }, 2*time.Minute, 50*time.Millisecond, when)
}

// loadReport is what is read of the report of a load test.
type loadReport struct {
	Sent    uint64 `json:"requests"`
	Good    uint64
	Errors  uint64
	Answers []struct {
		Status string
		Count  uint64
		First  string `json:"first_error"`
	}
}

// startLoad asks for prices until the report is fetched.
func (s *servers) startLoad() (end func() loadReport) {
	s.t.Helper()
	cmd := s.command("tasador", "loadtest", "--url=http://"+s.at.serving, "--rate=50", "--duration=1h", "--timeout=1m", "--json=-", "--auth.token-file=/etc/tasador/token")
	var report, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, &complaints
	require.NoError(s.t, cmd.Start())
	ended := false
	s.t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill() // the test has failed
			_ = cmd.Wait()
		}
	})
	return func() (r loadReport) {
		s.t.Helper()
		require.NoError(s.t, cmd.Process.Signal(syscall.SIGINT))
		err := cmd.Wait()
		ended = true
		var exit *exec.ExitError
		require.ErrorAs(s.t, err, &exit)
		require.Equal(s.t, 130, exit.ExitCode(), "%s", &complaints)
		require.NoError(s.t, json.Unmarshal(report.Bytes(), &r), "%s%s", &report, &complaints)
		return r
	}
}

// requireRecorded waits until the table holds every prediction that was answered, once. Those of requests that were broken off may be in it too.
func (s *servers) requireRecorded(good, sent uint64) {
	s.t.Helper()
	database := s.rawdata[strings.LastIndex(s.rawdata, "/")+1:]
	host, port, _ := strings.Cut(s.mariadb.Address(), ":")
	var rows, distinct uint64
	require.Eventually(s.t, func() bool {
		out := s.output("mariadb", "--no-defaults", "--host="+host, "--port="+port, "--user=root", "--skip-column-names", "--execute",
			"SELECT COUNT(*), COUNT(DISTINCT request_id, item) FROM "+database+".predictions")
		_, err := fmt.Sscan(out, &rows, &distinct)
		require.NoError(s.t, err, out)
		return rows >= good
	}, time.Minute, 200*time.Millisecond, "%d answers", good)
	require.Equal(s.t, rows, distinct)
	require.LessOrEqual(s.t, rows, sent)
}
