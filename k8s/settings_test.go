package k8s

import (
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// slowestStop is how long a role may take after the stop delay: requests have 20 seconds, tasks and the journal some more.
const slowestStop = 40 * time.Second

var folder string // of the program, once it was asked for

// tasador builds the program once.
var tasador = sync.OnceValues(func() (program string, err error) {
	if folder, err = os.MkdirTemp("", "tasador"); err != nil {
		return "", err
	}
	program = filepath.Join(folder, "tasador")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return program, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// settings is what a container's process is started with.
type settings struct {
	args []string
	env  map[string]string
}

// settingsOf resolves the variables of a container as the kubelet does.
func (c *cluster) settingsOf(container corev1.Container) settings {
	s := settings{args: container.Args, env: map[string]string{}}
	for _, from := range container.EnvFrom {
		if from.ConfigMapRef != nil {
			if m, ok := find[*corev1.ConfigMap](c, from.ConfigMapRef.Name); ok {
				maps.Copy(s.env, m.Data)
			}
		}
		if from.SecretRef != nil {
			if m, ok := find[*corev1.Secret](c, from.SecretRef.Name); ok {
				maps.Copy(s.env, m.StringData)
				for key, value := range m.Data {
					s.env[key] = string(value)
				}
			}
		}
	}
	for _, env := range container.Env {
		if env.ValueFrom == nil {
			s.env[env.Name] = env.Value
		}
	}
	return s
}

// inForce asks the program what it makes of the settings. It refuses variables that it does not know, and values that it does not understand.
func (s settings) inForce(program string) (map[string]any, string) {
	args := slices.DeleteFunc(slices.Clone(s.args), func(arg string) bool { return !strings.HasPrefix(arg, "--role=") })
	cmd := exec.Command(program, append([]string{"config", "print"}, args...)...)
	cmd.Env = []string{}
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		cmd.Env = append(cmd.Env, name+"="+s.env[name])
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, string(out)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(out, &values); err != nil {
		return nil, err.Error()
	}
	return values, ""
}

func TestSettings(t *testing.T) {
	program, err := tasador()
	require.NoError(t, err, program)
	for _, path := range overlays(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c := decode(render(t, path), secretsOf(t, path))
			require.Empty(t, c.problems)
			c.checkSettings(program)
			require.Empty(t, c.problems)
		})
	}
}

// checkSettings looks at every container that runs tasador.
func (c *cluster) checkSettings(program string) {
	hosts := map[string][]string{} // workload → the names by which it may be called
	var calls []call
	for _, w := range c.pods {
		for _, container := range w.template.Spec.Containers {
			if image, _, _ := strings.Cut(container.Image, ":"); image != "tasador" && !strings.HasSuffix(image, "/tasador") {
				continue
			}
			s := c.settingsOf(container)
			values, wrong := s.inForce(program)
			if wrong != "" {
				c.complain("%s: %s", w.name, wrong)
				continue
			}
			c.checkLogins(w, s, values)
			hosts[w.name] = strings.Split(s.env["TASADOR_HTTP_ALLOWED_HOSTS"], ",")
			c.checkStop(w, values)
			c.checkListen(w, s, values)
			calls = append(calls, c.callsOf(w, s)...)
		}
	}
	for _, call := range calls {
		c.checkCall(call, hosts)
	}
}

func (c *cluster) checkStop(w workload, values map[string]any) {
	delay, err := time.ParseDuration(values["http.stop-delay"].(string))
	if err != nil {
		c.complain("%s: %v", w.name, err)
	}
	if grace := w.template.Spec.TerminationGracePeriodSeconds; !w.finite && (grace == nil || time.Duration(*grace)*time.Second < delay+slowestStop) {
		c.complain("%s: is killed before it has stopped, which may take %s", w.name, delay+slowestStop)
	}
}

// checkListen looks whether the role listens on the port that the pod is said to have, and keeps its files on a volume.
func (c *cluster) checkListen(w workload, s settings, values map[string]any) {
	for _, arg := range s.args {
		role, ok := strings.CutPrefix(arg, "--role=")
		if !ok {
			continue
		}
		address := values[role+".listen"].(string)
		port, err := strconv.Atoi(address[strings.LastIndex(address, ":")+1:])
		if err != nil || !w.hasPort("", int32(port)) || strings.HasPrefix(address, "127.") {
			c.complain("%s: listens on %s, which is no port of the pod", w.name, address)
		}
	}
	folder := values["data-dir"]
	if !slices.ContainsFunc(w.template.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == folder }) {
		c.complain("%s: no volume is mounted at its data folder %v", w.name, folder)
	}
}

// call is one workload's wish to reach an address.
type call struct {
	from    workload
	setting string
	host    string
	port    int32
}

// callsOf finds the addresses in the settings of a workload. Those that browsers open are none of its own.
func (c *cluster) callsOf(w workload, s settings) (calls []call) {
	usual := map[string]string{"http": "80", "https": "443", "mysql": "3306", "postgres": "5432"}
	for name, value := range s.env {
		u, err := url.Parse(value)
		if err != nil || usual[u.Scheme] == "" || u.Host == "" || strings.HasSuffix(name, "_PUBLIC_URL") {
			continue
		}
		text := u.Port()
		if text == "" {
			text = usual[u.Scheme]
		}
		port, _ := strconv.Atoi(text) // url.Parse takes only numbers
		calls = append(calls, call{from: w, setting: name, host: u.Hostname(), port: int32(port)})
	}
	return calls
}

var outside = regexp.MustCompile(`\.`) // addresses and names of other networks have dots, services of the same namespace have none

// checkCall looks whether an address leads to a service, whether that answers to the name, and whether the network lets the call through.
func (c *cluster) checkCall(call call, hosts map[string][]string) {
	if outside.MatchString(call.host) {
		return
	}
	service, ok := find[*corev1.Service](c, call.host)
	if !ok || !servicePort(service, "", call.port) {
		c.complain("%s: %s leads to %s:%d, which is no service", call.from.name, call.setting, call.host, call.port)
		return
	}
	to, port, here := c.callee(service, call.port)
	if !here {
		return // on another server
	}
	if allowed, ours := hosts[to.name]; ours && !slices.Contains(allowed, call.host) {
		c.complain("%s: %s refuses the host name %s; add it to TASADOR_HTTP_ALLOWED_HOSTS", call.from.name, to.name, call.host)
	}
	if !c.mayReach(call.from, to, port) {
		c.complain("%s: no network policy lets it reach %s:%d", call.from.name, call.host, call.port)
	}
}
