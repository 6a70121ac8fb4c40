package testkit

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // for databases of a server
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// DatabaseServer is a running PostgreSQL or MariaDB that belongs to the tests.
type DatabaseServer struct {
	address string
	admin   string                   // how database/sql connects to it
	driver  string                   // of database/sql
	url     func(name string) string // of one of its databases, as tasador takes it
	made    atomic.Int64
	launch  func(t testing.TB) *daemon
	daemon  *daemon
	dir     string
}

// Stop ends the server as an administrator does, breaking off what its clients do. Its databases stay.
func (s *DatabaseServer) Stop(t testing.TB) {
	t.Helper()
	end := map[string]syscall.Signal{"pgx": syscall.SIGINT, "mysql": syscall.SIGTERM}[s.driver]
	require.NoError(t, s.daemon.cmd.Process.Signal(end))
	<-s.daemon.exited
}

// Restart starts a server that was stopped or killed at the same address.
func (s *DatabaseServer) Restart(t testing.TB) {
	t.Helper()
	s.daemon = s.launch(t)
	s.wait(t, s.daemon)
}

// remove ends the server at once and deletes its databases.
func (s *DatabaseServer) remove() {
	s.daemon.stop()
	_ = os.RemoveAll(s.dir) // a temporary folder
}

// PID is the id of the server's first process, the parent of all others that it has.
func (s *DatabaseServer) PID() int { return s.daemon.cmd.Process.Pid }

// The users that tests connect as, without password: the servers listen on loopback only.
const (
	postgresUser = "tasador"
	mariadbUser  = "root"
)

// StartPostgres runs a PostgreSQL of the Debian package until the test ends; settings, name=value, go on top of its defaults.
func StartPostgres(t testing.TB, settings ...string) *DatabaseServer {
	t.Helper()
	s := startPostgres(t, settings...)
	t.Cleanup(s.remove)
	return s
}

func startPostgres(t testing.TB, settings ...string) *DatabaseServer {
	t.Helper()
	as := accountOf(t, "postgres")
	dir := as.folder(t, "tasador-postgres-")
	data := filepath.Join(dir, "data")
	const installed = "/usr/lib/postgresql/*/bin"
	as.run(t, dir, program(t, "initdb", installed), "--pgdata", data, "--username", postgresUser, "--auth", "trust", "--encoding", "UTF8",
		"--locale", "C", "--no-sync", "--no-instructions")
	s := &DatabaseServer{dir: dir, address: FreeAddress(t), driver: "pgx"}
	host, port := hostPort(t, s.address)
	args := []string{"-D", data, "-c", "listen_addresses=" + host, "-c", "port=" + port, "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s.launch = func(t testing.TB) *daemon { return as.start(t, dir, program(t, "postgres", installed), args...) }
	s.url = func(name string) string { return fmt.Sprintf("postgres://%s@%s/%s", postgresUser, s.address, name) }
	s.admin = s.url("postgres")
	s.Restart(t)
	return s
}

// StartMariaDB runs a MariaDB of the Debian package until the test ends; settings, name=value, go on top of its defaults.
func StartMariaDB(t testing.TB, settings ...string) *DatabaseServer {
	t.Helper()
	s := startMariaDB(t, settings...)
	t.Cleanup(s.remove)
	return s
}

func startMariaDB(t testing.TB, settings ...string) *DatabaseServer {
	t.Helper()
	as := accountOf(t, "mysql")
	dir := as.folder(t, "tasador-mariadb-")
	data := filepath.Join(dir, "data")
	// A server removes what another one has in their common folder for temporary tables when it starts, so each has its own.
	temporary := "--tmpdir=" + dir
	as.run(t, dir, program(t, "mariadb-install-db"), "--no-defaults", "--datadir="+data, temporary, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve")
	s := &DatabaseServer{dir: dir, address: FreeAddress(t), driver: "mysql"}
	host, port := hostPort(t, s.address)
	args := []string{"--no-defaults", "--datadir=" + data, temporary, "--bind-address=" + host, "--port=" + port, "--socket=" + filepath.Join(dir, "socket"),
		"--pid-file=" + filepath.Join(dir, "pid"), "--skip-name-resolve"}
	for _, setting := range settings {
		args = append(args, "--"+setting)
	}
	s.launch = func(t testing.TB) *daemon { return as.start(t, dir, program(t, "mariadbd", "/usr/sbin"), args...) }
	s.url = func(name string) string { return fmt.Sprintf("mysql://%s@%s/%s", mariadbUser, s.address, name) }
	s.admin = fmt.Sprintf("%s@tcp(%s)/", mariadbUser, s.address)
	s.Restart(t)
	return s
}

func hostPort(t testing.TB, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return host, port
}

// wait returns when the server answers statements.
func (s *DatabaseServer) wait(t testing.TB, d *daemon) {
	t.Helper()
	d.answers(t, s.address)
	require.Eventually(t, func() bool { return s.exec(context.Background(), "SELECT 1") == nil }, startLimit, 20*time.Millisecond,
		"the server takes no statements")
}

// Address is where the server listens, host:port.
func (s *DatabaseServer) Address() string { return s.address }

// exec runs statements of the server's administrator.
func (s *DatabaseServer) exec(ctx context.Context, statements ...string) error {
	db, err := sql.Open(s.driver, s.admin)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing is lost
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Exec runs statements of the server's administrator, who may change its settings.
func (s *DatabaseServer) Exec(t testing.TB, statements ...string) {
	t.Helper()
	require.NoError(t, s.exec(context.Background(), statements...), "%v", statements) // also in a clean-up
}

// NewDatabase makes an empty database that is dropped when the test ends, and returns its URL.
func (s *DatabaseServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.made.Add(1))
	s.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		drop := "DROP DATABASE " + name
		if s.driver == "pgx" {
			drop += " WITH (FORCE)"
		}
		require.NoError(t, s.exec(context.Background(), drop))
	})
	return s.url(name)
}

// The servers that the tests of one process share. Main stops them.
var shared struct {
	mu                sync.Mutex
	main              bool
	postgres, mariadb *DatabaseServer
}

// Main runs the tests of a package that call Postgres or MariaDB; give its result to os.Exit in TestMain.
func Main(m *testing.M) int {
	shared.main = true
	code := m.Run()
	for _, s := range []*DatabaseServer{shared.postgres, shared.mariadb} {
		if s != nil {
			s.remove()
		}
	}
	return code
}

// quick settings suit tests, which lose nothing if the machine fails.
var quick = struct{ postgres, mariadb []string }{
	postgres: []string{"fsync=off", "full_page_writes=off"},
	mariadb:  []string{"innodb-flush-log-at-trx-commit=0", "innodb-buffer-pool-size=256M", "local-infile=1"},
}

// Postgres returns the server that all tests of this process share.
func Postgres(t testing.TB) *DatabaseServer {
	t.Helper()
	return share(t, &shared.postgres, func() *DatabaseServer { return startPostgres(t, quick.postgres...) })
}

// MariaDB returns the server that all tests of this process share.
func MariaDB(t testing.TB) *DatabaseServer {
	t.Helper()
	return share(t, &shared.mariadb, func() *DatabaseServer { return startMariaDB(t, quick.mariadb...) })
}

func share(t testing.TB, s **DatabaseServer, start func() *DatabaseServer) *DatabaseServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	require.True(t, shared.main, "the package needs func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }")
	if *s == nil {
		*s = start()
	}
	return *s
}
