package packages_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	settings = "/etc/tasador/tasador.env"
	signs    = 3 * time.Second // how often the tests let roles give signs of life: a third of it
)

// network is an address for each role in the range of loopback, as three machines have one each. It differs between test processes.
type network struct{ source, tracking, pipeline, serving string }

func newNetwork() network {
	pid := os.Getpid()
	host := func(n int) string { return fmt.Sprintf("127.%d.%d.%d", 1+pid>>14&0x7f, pid>>7&0x7f, 1+(pid&0x3f)<<2|n) }
	return network{source: host(0) + ":8090", tracking: host(1) + ":5000", pipeline: host(2) + ":8080", serving: host(3) + ":8000"}
}

// settings are what an administrator writes into the environment file.
func (n network) settings() string {
	return strings.Join([]string{
		"# ours",
		"TASADOR_SOURCE_LISTEN=" + n.source, "TASADOR_SOURCE_BATCHES=3000,rest", "TASADOR_SOURCE_URI=http://" + n.source,
		"TASADOR_TRACKING_LISTEN=" + n.tracking, "TASADOR_TRACKING_URI=http://" + n.tracking,
		"TASADOR_PIPELINE_LISTEN=" + n.pipeline, "TASADOR_SCHEDULE_CRON=none", "TASADOR_GATE_MIN_NEW_RECORDS=1000", "",
	}, "\n")
}

func TestDebianPackage(t *testing.T) {
	m, at := newMachine(t), newNetwork()
	first := m.take(released(t, "deb", "1.0.0"))
	m.output("dpkg", "--install", first)
	require.Equal(t, "root:root 755", m.owner("/usr/bin/tasador"))
	require.Equal(t, "root:root 600", m.owner(settings), "it holds passwords")
	require.Equal(t, "tasador:tasador 750", m.owner("/var/lib/tasador"))
	require.Contains(t, m.output("getent", "passwd", "tasador"), ":/var/lib/tasador:/usr/sbin/nologin")
	require.Equal(t, settings+"\n", m.output("sh", "-c", "dpkg-query --show --showformat='${Conffiles}' tasador | awk 'NF {print $1}'"))
	for _, page := range []string{"deploy-vms.md", "settings.md", "copyright"} {
		require.FileExists(t, m.path("/usr/share/doc/tasador/"+page))
	}
	for _, file := range []string{"prometheus/prometheus.yml", "prometheus/rules/roles.yml", "grafana/dashboards/serving.json", "locust/locustfile.py"} {
		require.Equal(t, "root:root 644", m.owner("/usr/share/tasador/deploy/"+file))
	}
	require.Equal(t, "root:root 755", m.owner("/usr/share/tasador/deploy/prometheus"))

	// Three machines and a data API, each with its role and its address.
	m.write(settings, at.settings(), 0o600)
	m.write("/etc/tasador/serving.env", "TASADOR_SERVING_LISTEN="+at.serving+"\n", 0o600)
	running := map[string]*instance{}
	for _, role := range []string{"source", "tracking", "pipeline", "serving"} {
		running[role] = m.start(role, signs)
		running[role].waitFor("WATCHDOG=1")
	}
	trained := func(id string) {
		m.output("tasador", "dags", "trigger", "realtor_price_model", "--run-id="+id, "--wait", "--pipeline-uri=http://"+at.pipeline)
	}
	trained("before")
	running["serving"].waitFor("STATUS=serving is ready")
	m.output("tasador", "status", "--pipeline-uri=http://"+at.pipeline, "--tracking-uri=http://"+at.tracking, "--serving-uri=http://"+at.serving)
	require.Equal(t, "tasador:tasador 700", m.owner("/var/lib/tasador/tracking"))

	// The upgrade leaves settings and data alone, and the old version runs until it is restarted.
	const version = "1.1.0-rc.1+2"
	shipped := filepath.Join(t.TempDir(), "tasador.env")
	require.NoError(t, os.WriteFile(shipped, []byte("# a newer file\n"), 0o600))
	told := m.recordSystemctl()
	second := m.take(makePackage(t, "deb", version, binary(t, version), map[string]string{settings: shipped}))
	m.output("dpkg", "--force-confold", "--install", second)
	require.Equal(t, []string{"daemon-reload", "daemon-reload", "try-restart tasador@*.service"}, told())
	require.Equal(t, at.settings(), m.read(settings))
	require.Equal(t, "# a newer file\n", m.read(settings+".dpkg-dist"))
	for role, address := range map[string]string{"tracking": at.tracking, "pipeline": at.pipeline, "serving": at.serving} {
		_, body := get(t, "http://"+address+"/buildinfo")
		require.NotContains(t, body, version)
		if role == "pipeline" {
			running[role].kill()
		} else {
			running[role].stop()
		}
		running[role] = m.start(role, signs)
		_, body = get(t, "http://"+address+"/buildinfo")
		require.Contains(t, body, version)
	}
	running["serving"].waitFor("STATUS=serving is ready")
	require.Contains(t, m.output("tasador", "dags", "state", "realtor_price_model", "before", "--pipeline-uri=http://"+at.pipeline), "before is success")
	trained("after")
	status, body := get(t, "http://"+at.pipeline+"/readyz")
	require.Equal(t, http.StatusOK, status, body)

	// A removal stops the roles and keeps what is theirs; a purge does not.
	require.Empty(t, told())
	m.output("dpkg", "--remove", "tasador")
	require.Equal(t, []string{"stop tasador@*.service", "reset-failed tasador@*.service", "daemon-reload"}, told())
	require.NoFileExists(t, m.path("/usr/bin/tasador"))
	require.FileExists(t, m.path(settings))
	require.FileExists(t, m.path("/var/lib/tasador/tracking/tracking.db"))
	for _, i := range running {
		i.kill()
	}
	m.output("dpkg", "--purge", "tasador")
	require.NoDirExists(t, m.path("/etc/tasador"))
	require.NoDirExists(t, m.path("/var/lib/tasador"))
	m.fails("getent", "passwd", "tasador")
	m.fails("getent", "group", "tasador")
}

// TestDebianPackageIsInstalledTwice does what an administrator does who lost patience, and what dpkg does when an upgrade is broken off.
func TestDebianPackageIsInstalledTwice(t *testing.T) {
	m := newMachine(t)
	told := m.recordSystemctl()
	file := m.take(makePackage(t, "deb", "1.0.0", placeholder, nil))
	m.output("dpkg", "--install", file)
	require.Equal(t, []string{"daemon-reload"}, told(), "nothing starts by itself")
	m.output("dpkg", "--install", file)
	require.Contains(t, told(), "try-restart tasador@*.service")
	m.output("/var/lib/dpkg/info/tasador.postinst", "abort-upgrade", "1.0.1")
	m.output("dpkg", "--purge", "tasador")
	m.output("/bin/sh", "-c", "! dpkg -s tasador 2>&1")
}

func TestLintianHasNoObjection(t *testing.T) {
	if testing.Short() {
		t.Skip("needs lintian")
	}
	file := makePackage(t, "deb", "1.0.0", placeholder, nil)
	if *dist != "" {
		file = released(t, "deb", "1.0.0")
	}
	out, err := exec.Command("lintian", "--allow-root", "--fail-on=error,warning", "--suppress-tags=undeclared-elf-prerequisites", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
