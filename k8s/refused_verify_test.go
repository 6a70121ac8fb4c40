//go:build verify

package k8s

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused are mistakes of which the API server must say something: that it refuses them, or a warning where a workload's pods would be refused.
var refused = []struct {
	name, overlay, manifest string
	old, new                string
	says                    string
}{
	{"unknown field", servidor1, "StatefulSet mysql", "serviceName:", "servicename:", ".spec.servicename: field not declared in schema"},
	{"unknown field of a container", servidor1, "StatefulSet mysql", "image: mysql:8.4", "image: mysql:8.4\n        pullPolicy: Always", "pullPolicy: field not declared in schema"},
	{"unknown kind", servidor1, "Service mysql", "kind: Service", "kind: Servise", "no kind Servise"},
	{"version that is gone", production, "HorizontalPodAutoscaler serving", "autoscaling/v2", "autoscaling/v2beta2", "no kind HorizontalPodAutoscaler in autoscaling/v2beta2"},
	{"wrong type", servidor1, "Service mysql", "port: 3306", "port: three", "expected numeric"},
	{"twice", servidor1, "Service mysql", "  type: NodePort", "  type: NodePort\n  type: ClusterIP", "already set in map"},
	{"port over 65535", servidor1, "StatefulSet mysql", "containerPort: 3306", "containerPort: 65536", "must be between 1 and 65535"},
	{"node port out of range", servidor1, "Service mysql", "nodePort: 30306", "nodePort: 3306", "not in the valid range"},
	{"name of a port used twice", servidor2, "StatefulSet minio", "name: console", "name: s3", "Duplicate value"},
	{"name of a port too long", servidor3, "StatefulSet serving", "name: http", "name: predictions-and-page", "must be no more than 15 characters"},
	{"label", servidor1, "StatefulSet mysql", "app.kubernetes.io/name: mysql", "app.kubernetes.io/name: my sql", "valid label must be"},
	{"name", servidor1, "Service mysql", "  name: mysql\n  namespace", "  name: MySQL\n  namespace", "a lowercase RFC 1123 label must"},
	{"quantity", servidor1, "StatefulSet mysql", "memory: 512Mi", "memory: 512MiB", "quantities must match"},
	{"quantity of a volume", servidor1, "StatefulSet mysql", "storage: 5Gi", "storage: -5Gi", "must be greater than zero"},
	{"request over the limit", servidor1, "StatefulSet mysql", "memory: 512Mi", "memory: 4Gi", "less than or equal to memory limit"},
	{"selector of others", servidor1, "StatefulSet mysql", "    matchLabels:\n      app.kubernetes.io/name: mysql", "    matchLabels:\n      app.kubernetes.io/name: mysq", "`selector` does not match template `labels`"},
	{"mount of no volume", servidor1, "StatefulSet mysql", "        - mountPath: /tmp\n          name: tmp", "        - mountPath: /tmp\n          name: temp", "Not found"},
	{"key of a ConfigMap", servidor1, "ConfigMap mysql-init", "  databases.sh:", "  init/databases.sh:", "a valid config key must"},
	{"address that is a name", servidor3, "EndpointSlice mysql-servidor1", "192.0.2.11", "servidor1", "must be a valid IP address"},
	{"address of this machine", servidor3, "EndpointSlice mysql-servidor1", "192.0.2.11", "127.0.0.1", "loopback range"},
	{"schedule", production, "CronJob tracking-gc", "30 3 * * 0", "30 3 * *", "expected exactly 5 fields"},
	{"time zone", production, "CronJob tracking-gc", "Etc/UTC", "Mars/Utopia", "unknown time zone"},
	{"restart policy of a job", production, "CronJob tracking-gc", "restartPolicy: OnFailure", "restartPolicy: Always", "restartPolicy: Required value"},
	{"restart policy of a server", production, "Deployment tracking", "      terminationGracePeriodSeconds", "      restartPolicy: Never\n      terminationGracePeriodSeconds", "Unsupported value"},
	{"fewest above most", production, "HorizontalPodAutoscaler serving", "minReplicas: 2", "minReplicas: 7", "must be greater than or equal to `minReplicas`"},
	{"budget of both kinds", production, "PodDisruptionBudget serving", "maxUnavailable: 1", "maxUnavailable: 1\n  minAvailable: 1", "cannot be both set"},
	{"protocol of a policy", production, "NetworkPolicy tracking", "protocol: TCP", "protocol: HTTP", "Unsupported value"},
	{"path without a type", production, "Ingress serving", "        pathType: Prefix\n", "", "pathType must be specified"},
	{"pod security level", production, "Namespace tasador", "enforce: restricted", "enforce: restrict", "must be one of privileged, baseline, restricted"},

	{"privileged", production, "Deployment tracking", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true\n          privileged: true", `violate PodSecurity "restricted:latest": privileged`},
	{"root", production, "Deployment tracking", "runAsUser: 65532", "runAsUser: 0", `violate PodSecurity "restricted:latest"`},
	{"capabilities", production, "StatefulSet pipeline", "- ALL", "- NET_RAW", `violate PodSecurity "restricted:latest"`},
	{"folder of the node", production, "Deployment tracking", "      - emptyDir: {}\n        name: tmp", "      - hostPath:\n          path: /tmp\n        name: tmp", `violate PodSecurity "restricted:latest"`},

	{"Argo CD: field", "argocd", "Application servidor1-mlops", "selfHeal:", "selfheal:", "selfheal: field not declared in schema"},
	{"Argo CD: place", "argocd", "Application servidor1-mlops", "    targetRevision: main\n", "  targetRevision: main\n", "targetRevision: field not declared in schema"},
	{"Argo CD: type", "argocd", "Application servidor1-mlops", "limit: 5", "limit: five", "expected numeric"},
	{"Argo CD: no destination", "argocd", "Application servidor1-mlops", "  project: mlops\n", "", "spec.project: Required value"},
	{"Argo CD: project", "argocd", "AppProject mlops", "sourceRepos:", "sourceRepositories:", "sourceRepositories: field not declared in schema"},
}

// TestAPIServerRefusesMistakes makes each mistake, alone, in a manifest that the server takes without it.
func TestAPIServerRefusesMistakes(t *testing.T) {
	s := startAPIServer(t, startEtcd(t))
	made := map[string]bool{}
	for _, path := range []string{servidor1, production, "argocd"} {
		manifests := render(t, path)
		s.makeNamespace(t, namespaceOf(manifests))
		if manifests[0].kind == "Namespace" {
			require.Empty(t, s.apply(t, manifests[0], nil))
		}
	}
	s.learnArgoCD(t)
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			manifests := render(t, r.overlay)
			at := slices.IndexFunc(manifests, func(m manifest) bool { return m.String() == r.manifest || withoutHash(m) == r.manifest })
			require.GreaterOrEqual(t, at, 0, "%s has no %s", r.overlay, r.manifest)
			m := manifests[at]
			if id := r.overlay + m.String(); !made[id] {
				require.Empty(t, s.apply(t, m, dry))
				made[id] = true
			}
			require.Contains(t, string(m.yaml), r.old)
			m.yaml = bytes.ReplaceAll(m.yaml, []byte(r.old), []byte(r.new))
			options := dry
			if m.kind == "Service" {
				options = nil // a dry run takes no node ports
			}
			require.Contains(t, s.apply(t, m, options), r.says)
		})
	}
}

// TestAPIServerRefusesUnsafePods makes pods of templates that are not restricted, of which the server only warns in workloads.
func TestAPIServerRefusesUnsafePods(t *testing.T) {
	s := startAPIServer(t, startEtcd(t))
	manifests := render(t, production)
	require.Equal(t, "Namespace", manifests[0].kind)
	require.Empty(t, s.apply(t, manifests[0], nil))
	s.makeAccount(t, namespaceOf(manifests))
	seen := 0
	for _, m := range manifests {
		if len(decode([]manifest{m}, nil).pods) == 0 {
			continue
		}
		seen++
		require.Empty(t, s.createPods(t, m), m)
		for _, unsafe := range [][2]string{
			{"allowPrivilegeEscalation: false", "privileged: true"}, {"runAsNonRoot: true", "runAsNonRoot: false"}, {"type: RuntimeDefault", "type: Unconfined"}, {"- ALL", "- KILL"},
		} {
			broken := m
			require.Contains(t, string(m.yaml), unsafe[0], m)
			broken.yaml = bytes.ReplaceAll(m.yaml, []byte(unsafe[0]), []byte(unsafe[1]))
			require.Contains(t, s.createPods(t, broken), `violates PodSecurity "restricted:latest"`, m)
		}
	}
	require.GreaterOrEqual(t, seen, 6)
}
