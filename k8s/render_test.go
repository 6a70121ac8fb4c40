// Package k8s holds the manifests to the API types of Kubernetes and to each other.
package k8s

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manifest is one object of an overlay, as kustomize renders it.
type manifest struct {
	kind, name, namespace string
	yaml                  []byte
}

func (m manifest) String() string { return m.kind + " " + m.name }

// overlays lists the folders below overlays/ that have a kustomization of their own.
func overlays(t *testing.T) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir("overlays", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "kustomization.yaml" && !isComponent(t, path) {
			found = append(found, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	}))
	require.Subset(t, found, []string{"overlays/dev", "overlays/microk8s/servidor1", "overlays/microk8s/servidor2", "overlays/microk8s/servidor3", "overlays/production"})
	return found
}

func isComponent(t *testing.T, path string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return bytes.Contains(text, []byte("\nkind: Component\n"))
}

// render builds an overlay with the options that Argo CD and kubectl use, so that what they refuse fails here too. The result of each is kept.
var render = func() func(t *testing.T, path string) []manifest {
	var mu sync.Mutex
	kept := map[string][]manifest{}
	return func(t *testing.T, path string) []manifest {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if kept[path] == nil {
			kept[path] = build(t, path)
		}
		return slices.Clone(kept[path])
	}
}()

func build(t *testing.T, path string) []manifest {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // namespaces first
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), path)
	require.NoError(t, err)
	var all []manifest
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		all = append(all, manifest{kind: r.GetKind(), name: r.GetName(), namespace: r.GetNamespace(), yaml: text})
	}
	require.NotEmpty(t, all)
	return all
}

// secretsOf returns the secrets that an overlay expects to be made beforehand.
func secretsOf(t *testing.T, path string) []manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path, "secrets.example.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	var all []manifest
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		all = append(all, manifest{kind: "Secret", name: "of " + path, yaml: []byte(document)})
	}
	return all
}

var strict = sync.OnceValue(func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme, discoveryv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
})

// cluster is what the manifests of one overlay and the secrets that it expects make together.
type cluster struct {
	objects  []metav1.Object
	pods     []workload
	problems []string
}

func (c *cluster) complain(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// decode reads manifests as the API server would, so that unknown fields, fields that come twice and wrong types are problems.
func decode(manifests, secrets []manifest) *cluster {
	c := &cluster{}
	for i, m := range slices.Concat(manifests, secrets) {
		obj, _, err := strict().Decode(m.yaml, nil, nil)
		if err != nil {
			c.complain("%s: %v", m, err)
			continue
		}
		c.objects = append(c.objects, obj.(metav1.Object))
		if i < len(manifests) {
			c.addWorkload(obj)
		}
	}
	return c
}

// find returns the object of a type with a name, nil if there is none.
func find[T metav1.Object](c *cluster, name string) (found T, ok bool) {
	for _, o := range each[T](c) {
		if o.GetName() == name {
			return o, true
		}
	}
	return found, false
}

func each[T metav1.Object](c *cluster) (all []T) {
	for _, o := range c.objects {
		if typed, ok := o.(T); ok {
			all = append(all, typed)
		}
	}
	return all
}

// problemsOf decodes an overlay and checks all that decoding misses.
func problemsOf(manifests, secrets []manifest) []string {
	c := decode(manifests, secrets)
	c.checkNames()
	c.checkWorkloads()
	c.checkReferences()
	c.checkServices()
	c.checkPolicies()
	c.checkSafety()
	return c.problems
}

func TestManifests(t *testing.T) {
	for _, path := range overlays(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, problemsOf(render(t, path), secretsOf(t, path)))
		})
	}
}
