//go:build bench

package bench_test

import (
	"database/sql"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/testkit"
)

// The servers beside ours, and the databases.
const (
	mlflow      = "mlflow"
	fasttrackml = "fasttrackml"
	postgres    = "postgres"
	sqlite      = "sqlite"
)

// database is an empty database; url is as tasador takes it.
type database struct {
	engine, url string
	pid         int // of PostgreSQL
}

func newDatabase(t testing.TB, engine string, server *testkit.DatabaseServer) database {
	t.Helper()
	if engine == postgres {
		return database{engine, server.NewDatabase(t), server.PID()}
	}
	return database{engine: engine, url: "sqlite:" + filepath.Join(t.TempDir(), "tracking.db")}
}

// peerURL is the URL as a peer takes it.
func (d database) peerURL(peer string) string {
	switch {
	case peer == mlflow && d.engine == postgres:
		return alchemyURL(d.url)
	case peer == mlflow:
		return strings.Replace(d.url, "sqlite:", "sqlite:///", 1)
	}
	return strings.Replace(d.url, "sqlite:", "sqlite://", 1)
}

// open opens the database beside the server.
func (d database) open(t testing.TB) *sql.DB {
	t.Helper()
	if d.engine == postgres {
		return openSQL(t, "pgx", d.url)
	}
	return openSQL(t, "sqlite", "file:"+strings.TrimPrefix(d.url, "sqlite:")+"?_pragma=busy_timeout(60000)")
}

// trackingServer is a running server of one kind.
type trackingServer struct {
	url   string
	cold  time.Duration // from its start to the first good answer of /health
	cmd   *exec.Cmd
	again func(t testing.TB) *trackingServer
	ended chan struct{}
}

// startServer starts a server on a database as its documentation says, with its defaults: MLflow thus has four workers.
func startServer(t testing.TB, bin, subject string, db database) *trackingServer {
	t.Helper()
	dir := t.TempDir()
	address := testkit.FreeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	root := testkit.ModuleRoot(t)
	switch subject {
	case mlflow:
		env := []string{"MLFLOW_DISABLE_TELEMETRY=true", "PYTHONPATH=" + filepath.Join(root, ".cache/venv-bench"),
			"PATH=" + filepath.Dir(testkit.Venv(t, "python")) + ":" + os.Getenv("PATH")}
		return launchServer(t, address, env, testkit.Venv(t, "mlflow"), "server", "--host", host, "--port", port,
			"--backend-store-uri", db.peerURL(subject), "--artifacts-destination", filepath.Join(dir, "artifacts"))
	case fasttrackml:
		program := filepath.Join(root, ".cache/venv-fasttrackml/bin/fml")
		require.FileExists(t, program, "FastTrackML is missing; make bench-tracking installs it")
		return launchServer(t, address, nil, program, "server", "--listen-address", address, "--database-uri", db.peerURL(subject),
			"--default-artifact-root", filepath.Join(dir, "artifacts"))
	}
	return launchServer(t, address, nil, bin, "--role=tracking", "--data-dir="+dir, "--tracking.listen="+address, "--tracking.db="+db.url)
}

const (
	healthLimit = 3 * time.Minute
	healthEvery = 2 * time.Millisecond
	endLimit    = 20 * time.Second
)

func launchServer(t testing.TB, address string, env []string, program string, args ...string) *trackingServer {
	t.Helper()
	s := &trackingServer{url: "http://" + address, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	s.again = func(t testing.TB) *trackingServer { return launchServer(t, address, env, program, args...) }
	s.cmd.Dir = t.TempDir()
	s.cmd.Env = append(os.Environ(), env...)
	logPath := filepath.Join(s.cmd.Dir, "log")
	log, err := os.Create(logPath)
	require.NoError(t, err)
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // a group, because MLflow's server starts workers anew that end
	begin := time.Now()
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel ends the server when the thread that started it ends
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // it is ended by a signal
			close(s.ended)
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			content, _ := os.ReadFile(logPath) // it is only told
			t.Logf("%s: %s", filepath.Base(program), content[max(0, len(content)-4000):])
		}
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for deadline := begin.Add(healthLimit); ; {
		if answer, err := client.Get(s.url + "/health"); err == nil {
			require.NoError(t, answer.Body.Close())
			if answer.StatusCode == http.StatusOK {
				s.cold = time.Since(begin)
				return s
			}
		}
		select {
		case <-s.ended:
			require.FailNow(t, "the server ended before it was ready", program)
		case <-ticker.C:
			require.True(t, time.Now().Before(deadline), "%s does not get ready", program)
		}
	}
}

// stop asks all processes of the server to end, and ends those that do not.
func (s *trackingServer) stop(t testing.TB) {
	t.Helper()
	group := -s.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // they may have ended, here and below
	timer := time.NewTimer(endLimit)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-s.ended
}
