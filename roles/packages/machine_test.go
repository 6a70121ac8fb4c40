package packages_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is this machine as it is, with a layer on top of its disk that takes all changes and goes with the test.
type machine struct {
	t    *testing.T
	root string
}

// newMachine needs root. A package that is installed on this machine is not installed on the new one.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root")
	}
	require.Zero(t, os.Getuid(), "packages are installed by root; run the tests as root")
	if !layers {
		return thisMachine(t)
	}
	top, err := os.MkdirTemp("", "machine-")
	require.NoError(t, err)
	mount := func(source, target, kind string, flags uintptr, options string) {
		require.NoError(t, os.MkdirAll(target, 0o755))
		require.NoError(t, syscall.Mount(source, target, kind, flags, options), "mount %s on %s", kind, target)
	}
	mount("tmpfs", top, "tmpfs", 0, "mode=0755")
	m := &machine{t: t, root: filepath.Join(top, "root")}
	for _, dir := range []string{"changes", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(top, dir), 0o755))
	}
	mount("overlay", m.root, "overlay", 0, "lowerdir=/,upperdir="+filepath.Join(top, "changes")+",workdir="+filepath.Join(top, "work"))
	mount("proc", m.path("proc"), "proc", 0, "")
	mount("/dev", m.path("dev"), "", syscall.MS_BIND|syscall.MS_REC, "")
	mount("tmpfs", m.path("run"), "tmpfs", 0, "mode=0755")
	mount("tmpfs", m.path("tmp"), "tmpfs", 0, "mode=1777")
	t.Cleanup(func() {
		require.NoError(t, syscall.Unmount(top, syscall.MNT_DETACH))
		require.NoError(t, os.Remove(top))
	})
	m.output("sh", "-c", "if dpkg -s tasador >/dev/null 2>&1; then dpkg --purge tasador; fi")
	return m
}

// thisMachine stands in where root may not mount, as in a container, which is thrown away; whatever the tests put on it they remove.
func thisMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: "/"}
	for _, name := range []string{"/usr/bin/tasador", "/etc/tasador", "/var/lib/tasador", "/run/systemd/system"} {
		require.NoFileExists(t, name, "the tests remove what they install; they do not do that where tasador or systemd is in use")
		require.NoDirExists(t, name, "the tests remove what they install; they do not do that where tasador or systemd is in use")
	}
	t.Cleanup(func() {
		m.output("sh", "-c", "if dpkg -s tasador >/dev/null 2>&1; then dpkg --purge tasador; fi; if rpm -q tasador >/dev/null 2>&1; then rpm --erase tasador; fi; "+
			"rm -rf /etc/tasador /var/lib/tasador /run/notify-* /root/tasador*.deb /root/tasador*.rpm; if id tasador >/dev/null 2>&1; then userdel tasador; fi")
	})
	return m
}

// path is where a file of the machine is for us.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// command is a program on the machine, run by root unless its credential says otherwise.
func (m *machine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/usr/bin/env", append([]string{"-C", "/", name}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	return cmd
}

// output runs a program on the machine and returns what it says.
func (m *machine) output(name string, args ...string) string {
	m.t.Helper()
	out, err := m.command(name, args...).CombinedOutput()
	require.NoError(m.t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// fails runs a program that must not succeed.
func (m *machine) fails(name string, args ...string) {
	m.t.Helper()
	out, err := m.command(name, args...).CombinedOutput()
	require.Error(m.t, err, "%s %v: %s", name, args, out)
}

// take copies a file of ours to /root and returns where it is on the machine.
func (m *machine) take(file string) string {
	m.t.Helper()
	in, err := os.Open(file)
	require.NoError(m.t, err)
	defer func() { require.NoError(m.t, in.Close()) }()
	name := filepath.Join("/root", filepath.Base(file))
	out, err := os.Create(m.path(name))
	require.NoError(m.t, err)
	_, err = io.Copy(out, in)
	require.NoError(m.t, err)
	require.NoError(m.t, out.Close())
	return name
}

func (m *machine) read(name string) string {
	m.t.Helper()
	content, err := os.ReadFile(m.path(name))
	require.NoError(m.t, err)
	return string(content)
}

func (m *machine) write(name, content string, mode os.FileMode) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	require.NoError(m.t, os.WriteFile(m.path(name), []byte(content), mode))
}

// owner says who owns a file and what its mode is, as root:root 600.
func (m *machine) owner(name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.output("stat", "--format=%U:%G %a", name))
}

// recordSystemctl makes the scripts of packages believe that systemd runs, and returns what they told it since the last call. What systemd does then, only a
// machine that it has booted can show.
func (m *machine) recordSystemctl() (told func() []string) {
	m.t.Helper()
	const log = "/run/systemctl.log"
	const program = "/usr/bin/systemctl"
	if !layers {
		require.NoError(m.t, os.Rename(program, program+".ours"))
		m.t.Cleanup(func() {
			require.NoError(m.t, os.Rename(program+".ours", program))
			require.NoError(m.t, os.RemoveAll("/run/systemd/system"))
			_ = os.Remove(log) // it may have been read
		})
	}
	_ = os.Remove(m.path(program)) // which may be a link
	m.write(program, "#!/bin/sh\necho \"$*\" >>"+log+"\n", 0o755)
	require.NoError(m.t, os.MkdirAll(m.path("/run/systemd/system"), 0o755))
	return func() []string {
		content, err := os.ReadFile(m.path(log))
		if os.IsNotExist(err) {
			return nil
		}
		require.NoError(m.t, err)
		require.NoError(m.t, os.Remove(m.path(log)))
		return strings.Split(strings.TrimSpace(string(content)), "\n")
	}
}
