package k8s

import (
	"net"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// filesOf returns what a container finds below its mounts of config maps: path → content.
func (c *cluster) filesOf(t *testing.T, w workload) map[string]string {
	t.Helper()
	files := map[string]string{}
	put := func(at, name string, items []corev1.KeyToPath) {
		m, ok := find[*corev1.ConfigMap](c, name)
		require.True(t, ok, name)
		for key, content := range m.Data {
			if len(items) == 0 {
				files[path.Join(at, key)] = content
			}
		}
		for _, item := range items {
			files[path.Join(at, item.Path)] = m.Data[item.Key]
		}
	}
	for _, mount := range w.template.Spec.Containers[0].VolumeMounts {
		for _, v := range w.template.Spec.Volumes {
			switch {
			case v.Name != mount.Name:
			case v.ConfigMap != nil:
				put(mount.MountPath, v.ConfigMap.Name, v.ConfigMap.Items)
			case v.Projected != nil:
				for _, source := range v.Projected.Sources {
					put(mount.MountPath, source.ConfigMap.Name, source.ConfigMap.Items)
				}
			}
		}
	}
	return files
}

func (c *cluster) workload(t *testing.T, name string) workload {
	t.Helper()
	for _, w := range c.pods {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("there is no %s", name)
	return workload{}
}

// needAddress looks whether host:port is that of a service.
func (c *cluster) needAddress(t *testing.T, address string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	number, err := strconv.ParseInt(port, 10, 32)
	require.NoError(t, err)
	service, ok := find[*corev1.Service](c, host)
	require.True(t, ok, "there is no service %s", host)
	require.True(t, servicePort(service, "", int32(number)), address)
}

// TestPrometheusFindsItsFiles follows the configuration from the pod to the rules, and to services for all that it scrapes.
func TestPrometheusFindsItsFiles(t *testing.T) {
	for _, overlay := range []string{"overlays/dev", servidor3, production} {
		c := decode(render(t, overlay), nil)
		w := c.workload(t, "StatefulSet prometheus")
		files := c.filesOf(t, w)
		config := "/etc/prometheus/prometheus.yml"
		require.Contains(t, w.template.Spec.Containers[0].Args, "--config.file="+config)
		require.Contains(t, files, config)
		var settings struct {
			RuleFiles     []string `json:"rule_files"`
			ScrapeConfigs []struct {
				StaticConfigs []struct{ Targets []string } `json:"static_configs"`
				DNSConfigs    []struct {
					Names []string
					Port  int
				} `json:"dns_sd_configs"`
			} `json:"scrape_configs"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(files[config]), &settings))
		rules := 0
		for _, pattern := range settings.RuleFiles {
			for name := range files {
				if matches, err := path.Match(path.Join(path.Dir(config), pattern), name); err == nil && matches {
					rules++
				}
			}
		}
		require.Equal(t, 3, rules, "rules of %s", overlay)
		for _, scrape := range settings.ScrapeConfigs {
			for _, static := range scrape.StaticConfigs {
				for _, target := range static.Targets {
					if target != "localhost:9090" {
						c.needAddress(t, target)
					}
				}
			}
			for _, names := range scrape.DNSConfigs {
				for _, name := range names.Names {
					c.needAddress(t, net.JoinHostPort(name, strconv.Itoa(names.Port)))
				}
			}
		}
	}
}

// TestGrafanaFindsItsFiles follows the providers from the pod to the dashboards, and the data source to Prometheus.
func TestGrafanaFindsItsFiles(t *testing.T) {
	for _, overlay := range []string{"overlays/dev", servidor3, production} {
		c := decode(render(t, overlay), nil)
		w := c.workload(t, "Deployment grafana")
		files := c.filesOf(t, w)
		require.Contains(t, files, "/etc/grafana/provisioning/datasources/prometheus.yml")
		var provisioned struct {
			Providers []struct{ Options struct{ Path string } }
		}
		require.NoError(t, yaml.Unmarshal([]byte(files["/etc/grafana/provisioning/dashboards/tasador.yml"]), &provisioned))
		require.Len(t, provisioned.Providers, 1)
		dashboards := 0
		for name := range files {
			if path.Dir(name) == provisioned.Providers[0].Options.Path && strings.HasSuffix(name, ".json") {
				dashboards++
			}
		}
		require.Equal(t, 4, dashboards, overlay)
		address, http := strings.CutPrefix(c.settingsOf(w.template.Spec.Containers[0]).env["PROMETHEUS_URL"], "http://")
		require.True(t, http)
		c.needAddress(t, address)
	}
}
