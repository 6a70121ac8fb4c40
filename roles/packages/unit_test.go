package packages_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

const unitFile = "/usr/lib/systemd/system/tasador@.service"

func TestTheSandboxOfTheUnitIsTight(t *testing.T) {
	if testing.Short() {
		t.Skip("needs systemd-analyze")
	}
	file := filepath.Join(testkit.ModuleRoot(t), "systemd", "tasador@.service")
	out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	found := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	require.NotNil(t, found, "%s", out)
	score, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	require.Less(t, score, 2.0, "%s", out)
}

// unit is a unit file for one instance: what follows each name, in order.
type unit map[string][]string

func (m *machine) unit(instance string) unit {
	m.t.Helper()
	u := unit{}
	for _, line := range strings.Split(m.read(unitFile), "\n") {
		if name, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			u[name] = append(u[name], strings.ReplaceAll(value, "%i", instance))
		}
	}
	return u
}

func (u unit) one(t *testing.T, name string) string {
	t.Helper()
	require.NotEmpty(t, u[name], name)
	return u[name][len(u[name])-1]
}

// environment reads the files that the unit names, the later winning.
func (m *machine) environment(u unit) []string {
	m.t.Helper()
	env := []string{"PATH=/usr/bin", "LANG=C.UTF-8"}
	for _, name := range u["EnvironmentFile"] {
		content, err := os.ReadFile(m.path(strings.TrimPrefix(name, "-")))
		if os.IsNotExist(err) && strings.HasPrefix(name, "-") {
			continue
		}
		require.NoError(m.t, err)
		for lines := bufio.NewScanner(strings.NewReader(string(content))); lines.Scan(); {
			if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
				env = append(env, line)
			}
		}
	}
	return env
}

// instance is a running role that the test started as systemd would, whose place it takes at the notify socket.
type instance struct {
	t      *testing.T
	role   string
	cmd    *exec.Cmd
	log    *os.File
	notify *net.UnixConn
	exited chan error
}

// start does what systemctl start tasador@ROLE does, without the sandbox: it runs ExecStart as the user of the unit, with its environment and state folder,
// and waits until the role says that it is ready.
func (m *machine) start(role string, watchdog time.Duration) *instance {
	m.t.Helper()
	u := m.unit(role)
	require.Equal(m.t, "notify", u.one(m.t, "Type"))
	who := m.account(u.one(m.t, "User"))
	state := filepath.Join("/var/lib", u.one(m.t, "StateDirectory"))
	mode, err := strconv.ParseUint(u.one(m.t, "StateDirectoryMode"), 8, 32)
	require.NoError(m.t, err)
	require.NoError(m.t, os.MkdirAll(m.path(state), os.FileMode(mode)))
	require.NoError(m.t, os.Chown(m.path(state), int(who.Uid), int(who.Gid)))

	i := &instance{t: m.t, role: role, exited: make(chan error, 1)}
	socket := "/run/notify-" + role
	_ = os.Remove(m.path(socket)) // of an instance before
	i.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path(socket), Net: "unixgram"})
	require.NoError(m.t, err)
	require.NoError(m.t, os.Chmod(m.path(socket), 0o777))
	i.log, err = os.CreateTemp(m.t.TempDir(), role)
	require.NoError(m.t, err)

	words := strings.Fields(u.one(m.t, "ExecStart"))
	i.cmd = exec.Command(words[0], words[1:]...)
	i.cmd.Dir = u.one(m.t, "WorkingDirectory")
	i.cmd.Env = append(m.environment(u), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10))
	i.cmd.Stdout, i.cmd.Stderr = i.log, i.log
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root, Credential: who, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel ends the role when the thread that started it ends
		err := i.cmd.Start()
		started <- err
		if err == nil {
			i.exited <- i.cmd.Wait()
			close(i.exited)
		}
	}()
	require.NoError(m.t, <-started)
	m.t.Cleanup(func() {
		_ = i.cmd.Process.Kill() // it may have ended
		<-i.exited
		_ = i.notify.Close()
	})
	i.waitFor("READY=1")
	return i
}

// account is a user of the machine.
func (m *machine) account(name string) *syscall.Credential {
	m.t.Helper()
	number := func(flag string) uint32 {
		n, err := strconv.ParseUint(strings.TrimSpace(m.output("id", flag, name)), 10, 32)
		require.NoError(m.t, err)
		return uint32(n)
	}
	return &syscall.Credential{Uid: number("-u"), Gid: number("-g")}
}

// waitFor reads what the role tells systemd until one of its lines is the given one.
func (i *instance) waitFor(line string) {
	i.t.Helper()
	require.NoError(i.t, i.notify.SetReadDeadline(time.Now().Add(2*time.Minute)))
	buffer := make([]byte, 4096)
	for {
		n, err := i.notify.Read(buffer)
		log, _ := os.ReadFile(i.log.Name())
		require.NoError(i.t, err, "%s did not say %s: %s", i.role, line, log)
		for _, said := range strings.Split(string(buffer[:n]), "\n") {
			if said == line {
				return
			}
		}
	}
}

// stop ends the role as systemd does.
func (i *instance) stop() {
	i.t.Helper()
	require.NoError(i.t, i.cmd.Process.Signal(syscall.SIGTERM))
	i.waitFor("STOPPING=1")
	log, _ := os.ReadFile(i.log.Name())
	require.NoError(i.t, <-i.exited, "%s", log)
}

// kill ends it as a failing machine does.
func (i *instance) kill() {
	i.t.Helper()
	require.NoError(i.t, i.cmd.Process.Kill())
	<-i.exited
}

// get returns status and body of an address.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(content)
}
