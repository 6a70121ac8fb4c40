package k8s

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	servidor1  = "overlays/microk8s/servidor1"
	servidor2  = "overlays/microk8s/servidor2"
	servidor3  = "overlays/microk8s/servidor3"
	production = "overlays/production"
)

// breaks are mistakes that somebody could make in a manifest, and what must be said of them.
var breaks = []struct {
	name, overlay, manifest string // kind and name; what is generated is named without its hash
	old, new                string
	says                    string
}{
	// What decoding finds.
	{"unknown field", servidor1, "StatefulSet mysql", "serviceName:", "servicename:", `unknown field "spec.servicename"`},
	{"field of another place", servidor3, "Deployment grafana", "  replicas: 1", "  replicas: 1\n  terminationGracePeriodSeconds: 60", `unknown field "spec.terminationGracePeriodSeconds"`},
	{"wrong type", servidor1, "Service mysql", "port: 3306", "port: three", "cannot unmarshal"},
	{"twice", servidor1, "Service mysql", "  type: NodePort", "  type: NodePort\n  type: ClusterIP", "already set in map"},
	{"unknown kind", servidor1, "Service mysql", "kind: Service", "kind: Servise", "no kind"},

	// What it misses.
	{"selector of others", servidor1, "StatefulSet mysql", "    matchLabels:\n      app.kubernetes.io/name: mysql", "    matchLabels:\n      app.kubernetes.io/name: mysq", "takes the pods of 0 workloads"},
	{"selector of too many", servidor3, "Deployment locust", "    matchLabels:\n      app.kubernetes.io/name: locust", "    matchLabels:\n      app.kubernetes.io/part-of: tasador", "takes the pods of 4 workloads"},
	{"service without pods", servidor3, "Service grafana", "    app.kubernetes.io/name: grafana\n  type", "    app.kubernetes.io/name: grafanas\n  type", "takes the pods of 0 workloads"},
	{"port that is none", servidor3, "Service grafana", "targetPort: http", "targetPort: web", "has no port web"},
	{"node port of another", servidor3, "Service grafana", "30031", "30900", "the node port 30900 is that of"},
	{"node port out of range", servidor3, "Service grafana", "30031", "3031", "is not between"},
	{"probe of no port", servidor3, "StatefulSet serving", "path: /readyz\n            port: http", "path: /readyz\n            port: api", "the readiness probe asks the port api"},
	{"missing ConfigMap", servidor1, "StatefulSet mysql", "          name: mysql-init", "          name: init", "there is no ConfigMap init"},
	{"missing ConfigMap of several", servidor3, "StatefulSet prometheus", "            name: prometheus-rules", "            name: rules", "there is no ConfigMap rules"},
	{"missing Secret", servidor1, "StatefulSet pipeline", "secretRef:\n            name: pipeline", "secretRef:\n            name: pipelines", "there is no Secret pipelines"},
	{"missing key", servidor1, "StatefulSet mysql", "key: root-password", "key: root", "the Secret mysql has no key root"},
	{"mount of no volume", servidor1, "StatefulSet mysql", "        - mountPath: /tmp\n          name: tmp", "        - mountPath: /tmp\n          name: temp", "temp is mounted and is no volume"},
	{"missing service of a set", servidor3, "StatefulSet serving", "serviceName: serving-replicas", "serviceName: replicas", "there is no service replicas"},
	{"slice of no service", servidor3, "EndpointSlice mysql-servidor1", "service-name: mysql", "service-name: mariadb", `there is no service "mariadb"`},
	{"address that is a name", servidor3, "EndpointSlice mysql-servidor1", "192.0.2.11", "servidor1", "is no address"},
	{"schedule", production, "CronJob tracking-gc", "30 3 * * 0", "30 3 * *", "schedule: expected exactly 5 fields"},
	{"time zone", production, "CronJob tracking-gc", "Etc/UTC", "Mars/Utopia", "there is no time zone"},
	{"restart policy of a job", production, "CronJob tracking-gc", "restartPolicy: OnFailure", "restartPolicy: Always", "does not fit a job"},
	{"restart policy of a server", production, "Deployment tracking", "      terminationGracePeriodSeconds", "      restartPolicy: Never\n      terminationGracePeriodSeconds", "does not fit pods that shall stay"},
	{"autoscaler of nothing", production, "HorizontalPodAutoscaler serving", "kind: StatefulSet", "kind: Deployment", "there is no Deployment serving"},
	{"autoscaler against replicas", production, "StatefulSet serving", "  serviceName:", "  replicas: 3\n  serviceName:", "says how many replicas"},
	{"autoscaler without requests", production, "StatefulSet serving", "            cpu: 250m\n", "", "requests no cpu"},
	{"budget of nobody", production, "PodDisruptionBudget serving", "name: serving", "name: server", "takes no pods"},
	{"budget of one", production, "PodDisruptionBudget tracking", "app.kubernetes.io/name: tracking", "app.kubernetes.io/name: pipeline", "has one replica"},
	{"policy of no port", production, "NetworkPolicy tracking", "port: http", "port: web", "has no port web"},
	{"policy of nobody", production, "NetworkPolicy tracking", "- pipeline\n          - serving\n          - prometheus", "- pipelines", "takes no pods"},
	{"ingress to nothing", production, "Ingress serving", "name: http", "name: https", "has no port https"},
	{"other namespace", production, "Service tracking", "namespace: tasador", "namespace: default", `is in the namespace "default"`},
	{"open namespace", production, "Namespace tasador", "enforce: restricted", "enforce: baseline", `the pod security profile "baseline"`},

	// The restricted profile, and more.
	{"root", production, "Deployment tracking", "runAsUser: 65532", "runAsUser: 0", "runAsUser=0"},
	{"may be root", production, "Deployment tracking", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot != true"},
	{"escalation", production, "Deployment tracking", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation != false"},
	{"capabilities", production, "Deployment tracking", "- ALL", "- NET_RAW", "unrestricted capabilities"},
	{"seccomp", production, "Deployment tracking", "type: RuntimeDefault", "type: Unconfined", "seccompProfile"},
	{"folder of the node", production, "Deployment tracking", "      - emptyDir: {}\n        name: tmp", "      - hostPath:\n          path: /tmp\n        name: tmp", "restricted volume types"},
	{"writable root", production, "Deployment tracking", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can be written"},
	{"token", production, "Deployment tracking", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token of the API"},
	{"no limit", production, "Deployment tracking", "          limits:\n            memory: 512Mi\n", "", "has no limit"},
	{"any version", servidor1, "StatefulSet mysql", "image: mysql:8.4", "image: mysql", "names no version"},

	// The settings of tasador.
	{"unknown setting", production, "ConfigMap tracking", "TASADOR_TRACKING_LISTEN", "TASADOR_TRACKING_LISTENS", "TASADOR_TRACKING_LISTENS is not a setting"},
	{"wrong value", production, "ConfigMap tracking", "HTTP_STOP_DELAY: 5s", "HTTP_STOP_DELAY: 5m", "is not between"},
	{"listens elsewhere", production, "ConfigMap tracking", ":5000", ":5001", "is no port of the pod"},
	{"unknown role", production, "Deployment tracking", "--role=tracking", "--role=track", "there is no role"},
	{"folder on no volume", production, "ConfigMap tracking", "DATA_DIR: /data", "DATA_DIR: /home", "no volume is mounted at its data folder"},
	{"killed too early", production, "Deployment tracking", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30", "is killed before it has stopped"},
	{"calls nobody", production, "ConfigMap pipeline", "http://tracking:5000", "http://tracking:5001", "which is no service"},
	{"by a name that is refused", production, "ConfigMap tracking", "ALLOWED_HOSTS: tracking", "ALLOWED_HOSTS: mlflow", "refuses the host name tracking"},
	{"without logins", servidor1, "ConfigMap pipeline", "TASADOR_AUTH_ENABLED: \"true\"", "TASADOR_INSECURE: \"true\"", "lets everybody in"},
	{"with and without logins", production, "ConfigMap tracking", "TASADOR_AUTH_ENABLED: \"true\"", "TASADOR_AUTH_ENABLED: \"true\"\n  TASADOR_INSECURE: \"true\"", "lets everybody in"},
	{"through a policy", production, "NetworkPolicy tracking", "          - pipeline\n", "", "no network policy lets it reach tracking:5000"},
}

// TestBrokenManifests makes each mistake, alone, and sees that it is found.
func TestBrokenManifests(t *testing.T) {
	program, err := tasador()
	require.NoError(t, err, program)
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			manifests := render(t, b.overlay)
			at := slices.IndexFunc(manifests, func(m manifest) bool { return m.String() == b.manifest || withoutHash(m) == b.manifest })
			require.GreaterOrEqual(t, at, 0, "%s has no %s", b.overlay, b.manifest)
			require.Contains(t, string(manifests[at].yaml), b.old)
			manifests[at].yaml = bytes.ReplaceAll(manifests[at].yaml, []byte(b.old), []byte(b.new))

			problems := problemsOf(manifests, secretsOf(t, b.overlay))
			c := decode(manifests, secretsOf(t, b.overlay))
			c.checkSettings(program)
			problems = append(problems, c.problems...)
			require.Contains(t, strings.Join(problems, "\n"), b.says)
		})
	}
}

func withoutHash(m manifest) string {
	if at := strings.LastIndex(m.name, "-"); at > 0 {
		return m.kind + " " + m.name[:at]
	}
	return m.String()
}

// TestEveryManifestIsRead puts a field that does not exist into each manifest of each overlay.
func TestEveryManifestIsRead(t *testing.T) {
	for _, path := range overlays(t) {
		for i, m := range render(t, path) {
			manifests := render(t, path)
			manifests[i].yaml = append(bytes.TrimRight(slices.Clone(m.yaml), "\n"), "\nsurprise: 1\n"...)
			require.Contains(t, strings.Join(problemsOf(manifests, secretsOf(t, path)), "\n"), `unknown field "surprise"`, "%s: %s", path, m)
		}
	}
}
