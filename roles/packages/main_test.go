// Package packages_test installs, runs, upgrades and removes the packages, and runs the image, as users of them do.
package packages_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// layers says that a machine may be a layer over this one's disk: the process may mount, and what it mounts is its own.
var layers = os.Getenv(inside) != ""

const inside = "TASADOR_TEST_MOUNTS" // set in the process whose mounts are its own

// TestMain runs the tests as root in a mount namespace of their own, so that what they mount goes when they end, however they end. In a container root may not
// have one.
func TestMain(m *testing.M) {
	if os.Getuid() != 0 || layers {
		os.Exit(run(m))
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, os.ErrPermission):
		os.Exit(run(m))
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "the tests cannot be started in a mount namespace:", err)
		os.Exit(1)
	}
}

// kept holds what several tests use.
var kept string

func run(m *testing.M) int {
	var err error
	if kept, err = os.MkdirTemp("", "packages-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	_ = os.RemoveAll(kept) // it is a temporary folder
	return code
}
