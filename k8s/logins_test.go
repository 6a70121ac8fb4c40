package k8s

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// openNamespace is that of the only overlay in which nobody logs in.
const openNamespace = "tasador-dev"

// checkLogins looks whether people have to log in, whether the users are those of all roles, and whether roles that ask others have a token for them.
func (c *cluster) checkLogins(w workload, s settings, values map[string]any) {
	if namespaces := each[*corev1.Namespace](c); len(namespaces) == 1 && namespaces[0].Name == openNamespace {
		return
	}
	if values["insecure"] != false || values["auth.enabled"] != true {
		c.complain("%s: lets everybody in: TASADOR_INSECURE is %v, TASADOR_AUTH_ENABLED %v", w.name, values["insecure"], values["auth.enabled"])
	}
	if users := s.env["TASADOR_AUTH_URL"]; !strings.HasPrefix(users, "postgres://") {
		c.complain("%s: its users %q are not those of the other roles", w.name, users)
	}
	if s.env["TASADOR_TRACKING_URI"] != "" && s.env["TASADOR_AUTH_TOKEN"] == "" {
		c.complain("%s: asks tracking without a token", w.name)
	}
	if values["auth.open-metrics"] != true {
		c.complain("%s: Prometheus may not read its metrics", w.name)
	}
}

// TestLoginsNeedSecrets takes the users and the token out of the secrets.
func TestLoginsNeedSecrets(t *testing.T) {
	program, err := tasador()
	require.NoError(t, err, program)
	for setting, says := range map[string]string{"TASADOR_AUTH_URL": "are not those of the other roles", "TASADOR_AUTH_TOKEN": "asks tracking without a token"} {
		for _, path := range []string{servidor1, servidor3, production} {
			secrets := secretsOf(t, path)
			for i := range secrets {
				text := strings.ReplaceAll(string(secrets[i].yaml), "  "+setting+":", "  "+strings.Replace(setting, "TASADOR", "OTHER", 1)+":")
				secrets[i].yaml = []byte(text)
			}
			c := decode(render(t, path), secrets)
			c.checkSettings(program)
			require.Contains(t, strings.Join(c.problems, "\n"), says, path)
		}
	}
}

// TestServersShareUsers follows the address of the users from each of the three servers to the PostgreSQL of server 2.
func TestServersShareUsers(t *testing.T) {
	here := decode(render(t, servidor2), secretsOf(t, servidor2))
	postgres, ok := find[*corev1.Service](here, "postgres")
	require.True(t, ok)
	require.Equal(t, corev1.ServiceTypeNodePort, postgres.Spec.Type)
	for _, server := range []struct{ path, workload string }{{servidor1, "StatefulSet pipeline"}, {servidor2, "Deployment tracking"}, {servidor3, "StatefulSet serving"}} {
		c := decode(render(t, server.path), secretsOf(t, server.path))
		users, err := url.Parse(c.settingsOf(c.workload(t, server.workload).template.Spec.Containers[0]).env["TASADOR_AUTH_URL"])
		require.NoError(t, err)
		require.Equal(t, "/auth", users.Path)
		c.needAddress(t, users.Host)
		if server.path == servidor2 {
			continue
		}
		port, address := c.remote(t, users.Hostname())
		require.Equal(t, postgres.Spec.Ports[0].NodePort, port)
		_, tracking := c.remote(t, "tracking")
		require.Equal(t, tracking, address, "the machine of server 2")
	}
}
