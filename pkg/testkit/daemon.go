package testkit

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is a server program of somebody else's that tests use. It ends with the test process, however that ends.
type daemon struct {
	cmd    *exec.Cmd
	exited chan struct{}
	log    *buffer
}

// account is whom a server runs as: databases refuse to run as root. The zero value is whoever runs the tests.
type account struct{ credential *syscall.Credential }

// accountOf returns the account of a Debian package if the tests run as root.
func accountOf(t testing.TB, name string) account {
	t.Helper()
	if os.Getuid() != 0 {
		return account{}
	}
	u, err := user.Lookup(name)
	require.NoError(t, err, "the Debian packages of the tests are missing; run make prepare: it installs them")
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// folder makes an empty folder that belongs to the account. Whoever starts the server removes it.
func (a account) folder(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", pattern)
	require.NoError(t, err)
	if a.credential != nil {
		require.NoError(t, os.Chown(dir, int(a.credential.Uid), int(a.credential.Gid)))
	}
	return dir
}

func (a account) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a program to its end.
func (a account) run(t testing.TB, dir, program string, args ...string) {
	t.Helper()
	out, err := a.command(dir, program, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
}

// start runs a server in the background.
func (a account) start(t testing.TB, dir, program string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: a.command(dir, program, args...), exited: make(chan struct{}), log: &buffer{}}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel ends the server when the thread that started it ends
		err := d.cmd.Start()
		started <- err
		if err == nil {
			_ = d.cmd.Wait() // it is stopped by a signal
			close(d.exited)
		}
	}()
	require.NoError(t, <-started)
	return d
}

// answers waits until something accepts connections at the address.
func (d *daemon) answers(t testing.TB, address string) {
	t.Helper()
	timeout, tick := time.After(startLimit), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			require.NoError(t, conn.Close())
			return
		}
		select {
		case <-d.exited:
			require.Fail(t, "the server ended", "%v: %s", d.cmd.Args, d.log)
		case <-timeout:
			require.Fail(t, "the server does not answer", "%v: %s", d.cmd.Args, d.log)
		case <-tick.C:
		}
	}
}

// stop ends the server at once, whatever it does.
func (d *daemon) stop() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.exited
}

// program finds a program on the path or in one of the folders where Debian puts it.
func program(t testing.TB, name string, folders ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range folders {
		found, err := filepath.Glob(filepath.Join(pattern, name))
		require.NoError(t, err)
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	require.FailNow(t, name+" is missing; run make prepare: it installs what the tests need")
	return ""
}
