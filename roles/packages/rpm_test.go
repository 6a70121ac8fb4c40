package packages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rpm installs as on a machine whose packages are all of this kind; here the programs that scripts call belong to Debian's packages.
func (m *machine) rpm(args ...string) string {
	m.t.Helper()
	return m.output("rpm", append([]string{"--force-debian", "--nodeps"}, args...)...)
}

func TestRPMPackage(t *testing.T) {
	m := newMachine(t)
	first := m.take(released(t, "rpm", "1.0.0"))
	require.Equal(t, settings+"\n", m.output("rpm", "-qp", "--configfiles", first))
	require.Equal(t, strings.Join([]string{
		"/etc/tasador", settings, "/usr/bin/tasador", unitFile, "/usr/lib/sysusers.d/tasador.conf", "/usr/lib/tmpfiles.d/tasador.conf",
		"/usr/share/doc/tasador/copyright",
	}, "\n"), strings.TrimSpace(m.output("sh", "-c", "rpm -qpl "+first+" | grep -v -e '[.]md$' -e ^/usr/share/tasador/")))
	require.Contains(t, m.output("rpm", "-qpl", first), "/usr/share/tasador/deploy/prometheus/rules/roles.yml\n")

	told := m.recordSystemctl()
	m.rpm("--install", first)
	require.Equal(t, []string{"daemon-reload"}, told())
	require.Equal(t, "root:root 600", m.owner(settings))
	require.Equal(t, "tasador:tasador 750", m.owner("/var/lib/tasador"))
	role := m.start("tracking", signs)
	role.stop()

	m.write(settings, "# ours\n", 0o600)
	shipped := filepath.Join(t.TempDir(), "tasador.env")
	require.NoError(t, os.WriteFile(shipped, []byte("# a newer file\n"), 0o600))
	m.rpm("--upgrade", m.take(makePackage(t, "rpm", "1.1.0", placeholder, map[string]string{settings: shipped})))
	require.Contains(t, told(), "try-restart tasador@*.service")
	require.Equal(t, "# ours\n", m.read(settings))
	require.Equal(t, "# a newer file\n", m.read(settings+".rpmnew"))
	require.Equal(t, "root:root 755", m.owner("/usr/bin/tasador"))

	m.rpm("--erase", "tasador")
	require.Equal(t, []string{
		"stop tasador@*.service", "reset-failed tasador@*.service", "--no-reload disable tasador@.service", "daemon-reload",
	}, told())
	require.NoFileExists(t, m.path("/usr/bin/tasador"))
	require.Equal(t, "# ours\n", m.read(settings+".rpmsave"))
	require.FileExists(t, m.path("/var/lib/tasador/tracking/tracking.db"))
	require.Contains(t, m.output("getent", "passwd", "tasador"), "tasador")
}
