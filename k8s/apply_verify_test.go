//go:build verify

package k8s

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var dry = url.Values{"dryRun": {"All"}}

// apply gives the server a manifest as Argo CD does, and returns why it refuses it or what it warns of.
func (s *apiServer) apply(t *testing.T, m manifest, options url.Values) string {
	t.Helper()
	var object metav1.PartialObjectMetadata
	require.NoError(t, yaml.Unmarshal(m.yaml, &object))
	path, known := s.path(t, object.APIVersion, object.Kind, object.Namespace)
	if !known {
		return "no kind " + object.Kind + " in " + object.APIVersion
	}
	query := url.Values{"fieldManager": {"argocd-controller"}, "force": {"true"}, "fieldValidation": {"Strict"}, "dryRun": options["dryRun"]}
	a, err := s.send(http.MethodPatch, path+"/"+object.Name, query, "application/apply-patch+yaml", m.yaml)
	require.NoError(t, err)
	return a.problem()
}

// create lets the server check a new object as kubectl apply and controllers send it, and keep it unless options say otherwise.
func (s *apiServer) create(t *testing.T, apiVersion, kind, namespace string, object any, options url.Values) string {
	t.Helper()
	path, known := s.path(t, apiVersion, kind, namespace)
	require.True(t, known, kind)
	body, err := json.Marshal(object)
	require.NoError(t, err)
	a, err := s.send(http.MethodPost, path, url.Values{"fieldValidation": {"Strict"}, "dryRun": options["dryRun"]}, "application/json", body)
	require.NoError(t, err)
	return a.problem()
}

// createWithAnnotation is what kubectl apply does with what is not there yet: the whole manifest goes along as an annotation, whose length is limited.
func (s *apiServer) createWithAnnotation(t *testing.T, m manifest) string {
	t.Helper()
	var object map[string]any
	require.NoError(t, yaml.Unmarshal(m.yaml, &object))
	text, err := json.Marshal(object)
	require.NoError(t, err)
	metadata := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any) // there may be none
	if annotations == nil {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations["kubectl.kubernetes.io/last-applied-configuration"] = string(text)
	return s.create(t, object["apiVersion"].(string), m.kind, m.namespace, object, dry)
}

// createPods makes what the controllers would make of a workload: its claims and a pod of its template, which goes through the admission of pods.
func (s *apiServer) createPods(t *testing.T, m manifest) string {
	t.Helper()
	c := decode([]manifest{m}, nil)
	require.Empty(t, c.problems)
	for _, w := range c.pods {
		pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: w.template.ObjectMeta, Spec: w.template.Spec}
		pod.Name = m.name + "-0"
		for _, claim := range w.claims {
			claim.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}
			volume := corev1.Volume{Name: claim.Name}
			claim.Name += "-" + pod.Name
			volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}
			pod.Spec.Volumes = append(pod.Spec.Volumes, volume)
			if problem := s.create(t, "v1", "PersistentVolumeClaim", m.namespace, claim, dry); problem != "" {
				return problem
			}
		}
		if problem := s.create(t, "v1", "Pod", m.namespace, pod, dry); problem != "" {
			return problem
		}
	}
	return ""
}

// makeNamespace makes a namespace as the documentation says.
func (s *apiServer) makeNamespace(t *testing.T, name string) {
	t.Helper()
	require.Empty(t, s.create(t, "v1", "Namespace", "", corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil))
}

// makeAccount makes what a controller would make in a namespace, without which there can be no pods.
func (s *apiServer) makeAccount(t *testing.T, namespace string) {
	t.Helper()
	require.Empty(t, s.create(t, "v1", "ServiceAccount", namespace, corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, nil))
}

// fillIn puts a certificate into an example of a secret, as whoever uses it does: the server warns of what is none.
func (s *apiServer) fillIn(t *testing.T, m manifest) manifest {
	t.Helper()
	text := string(m.yaml)
	for gap, name := range map[string]string{"    CERTIFICATE\n": certificateFile, "    PRIVATE-KEY": keyFile} {
		content, err := os.ReadFile(filepath.Join(s.dir, name))
		require.NoError(t, err)
		indented := "    " + strings.ReplaceAll(strings.TrimSpace(string(content)), "\n", "\n    ") + "\n"
		text = strings.Replace(text, gap, indented, 1)
	}
	m.yaml = []byte(text)
	return m
}

// learnArgoCD installs the types of Argo CD.
func (s *apiServer) learnArgoCD(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("testdata/argocd.yaml")
	require.NoError(t, err)
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		require.Empty(t, s.apply(t, manifest{yaml: []byte(document)}, nil))
	}
	for _, kind := range []string{"Application", "AppProject"} {
		require.Eventually(t, func() bool {
			_, known := s.path(t, "argoproj.io/v1alpha1", kind, "argocd")
			return known
		}, startTime, 50*time.Millisecond, kind)
	}
}

// TestAPIServerTakesManifests gives each overlay to a Kubernetes of its own, in the order of the documentation.
func TestAPIServerTakesManifests(t *testing.T) {
	etcd := startEtcd(t)
	for _, path := range append(overlays(t), "argocd") {
		t.Run(path, func(t *testing.T) {
			s := startAPIServer(t, etcd)
			var version struct{ GitVersion string }
			s.get(t, "/version", &version)
			require.Equal(t, apiServerVersion, version.GitVersion)
			manifests := render(t, path)
			namespace := namespaceOf(manifests)
			if path == "argocd" {
				s.makeNamespace(t, namespace) // as the one who installs Argo CD does
				s.learnArgoCD(t)
			}
			secrets := secretsOf(t, path)
			if len(secrets) > 0 {
				s.makeNamespace(t, namespace)
			}
			for _, m := range secrets {
				require.Empty(t, s.apply(t, s.fillIn(t, m), nil), m)
			}
			for _, m := range manifests {
				if m.kind != "Namespace" {
					require.Empty(t, s.createWithAnnotation(t, m), "kubectl apply of %s", m)
				}
				require.Empty(t, s.apply(t, m, nil), m)
			}
			versions := s.versions(t, manifests)
			for _, m := range manifests { // the next synchronization changes nothing
				require.Empty(t, s.apply(t, m, nil), "%s, once more", m)
			}
			require.Equal(t, versions, s.versions(t, manifests))
			for _, m := range manifests { // no part of any is passed over
				m.yaml = append(slices.Clone(m.yaml), "surprise: 1\n"...)
				require.Contains(t, s.apply(t, m, dry), ".surprise: field not declared in schema", m)
			}
			if path == "argocd" {
				return
			}
			var kept corev1.Namespace
			s.get(t, "/api/v1/namespaces/"+namespace, &kept)
			require.Equal(t, "restricted", kept.Labels["pod-security.kubernetes.io/enforce"])
			s.makeAccount(t, namespace)
			for _, m := range manifests {
				require.Empty(t, s.createPods(t, m), "pods of %s", m)
			}
		})
	}
}

func namespaceOf(manifests []manifest) (name string) {
	for _, m := range manifests {
		name = cmp.Or(name, m.namespace)
	}
	return name
}

// versions tells which change of each object is kept.
func (s *apiServer) versions(t *testing.T, manifests []manifest) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range manifests {
		var object metav1.PartialObjectMetadata
		require.NoError(t, yaml.Unmarshal(m.yaml, &object))
		path, known := s.path(t, object.APIVersion, object.Kind, object.Namespace)
		require.True(t, known, m)
		s.get(t, path+"/"+object.Name, &object)
		require.NotEmpty(t, object.ResourceVersion, m)
		found[m.String()] = object.ResourceVersion
	}
	return found
}
