package k8s

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startTime is long: servers on a machine with other work take their time.
const startTime = 5 * time.Minute

// start runs a server until the test ends, and returns what tells of an earlier end. It ends with the test process, however that ends.
func start(t *testing.T, cmd *exec.Cmd) (ended <-chan error) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, end, done := make(chan error), make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends that has started the process
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			end <- cmd.Wait()
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-done
		if t.Failed() {
			text := log.Bytes()
			t.Logf("the end of the log of %s:\n%s", cmd.Path, text[max(0, len(text)-2000):])
		}
	})
	return end
}

func waitFor(t *testing.T, ended <-chan error, ready func() bool) {
	t.Helper()
	deadline, tick := time.After(startTime), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case err := <-ended:
			t.Fatalf("it has ended: %v", err)
		case <-deadline:
			t.Fatalf("it is not ready after %s", startTime)
		case <-tick.C:
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// as lets a program of a database run as the account of its Debian package, since it refuses to run as root, in a folder of that account.
func as(t *testing.T, name, dir string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.Dir = dir
	if os.Getuid() != 0 {
		return cmd
	}
	u, err := user.Lookup(name)
	require.NoError(t, err, "the Debian packages of the tests are missing; run make prepare: it installs them")
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, int(uid), int(gid)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}
