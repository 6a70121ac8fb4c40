package k8s

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// application is what we use of Argo CD's Application, whose own module brings hundreds of others.
type application struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Project string `json:"project"`
		Source  struct {
			RepoURL        string `json:"repoURL"`
			TargetRevision string `json:"targetRevision"`
			Path           string `json:"path"`
		} `json:"source"`
		Destination destination `json:"destination"`
		SyncPolicy  struct {
			Automated struct {
				Prune    bool `json:"prune"`
				SelfHeal bool `json:"selfHeal"`
			} `json:"automated"`
			SyncOptions []string `json:"syncOptions"`
			Retry       struct {
				Limit   int64 `json:"limit"`
				Backoff struct {
					Duration    string `json:"duration"`
					Factor      int64  `json:"factor"`
					MaxDuration string `json:"maxDuration"`
				} `json:"backoff"`
			} `json:"retry"`
		} `json:"syncPolicy"`
	} `json:"spec"`
}

type destination struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type project struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Description              string             `json:"description"`
		SourceRepos              []string           `json:"sourceRepos"`
		Destinations             []destination      `json:"destinations"`
		ClusterResourceWhitelist []metav1.GroupKind `json:"clusterResourceWhitelist"`
	} `json:"spec"`
}

func TestArgoCD(t *testing.T) {
	var (
		apps     []application
		projects []project
	)
	for _, m := range render(t, "argocd") {
		switch m.kind {
		case "Application":
			var app application
			require.NoError(t, yaml.UnmarshalStrict(m.yaml, &app), m)
			apps = append(apps, app)
		case "AppProject":
			var p project
			require.NoError(t, yaml.UnmarshalStrict(m.yaml, &p), m)
			projects = append(projects, p)
		default:
			t.Fatalf("%s is not of Argo CD", m)
		}
		require.Equal(t, "argocd", m.namespace, "Argo CD reads only its own namespace")
	}
	require.Len(t, projects, 1)
	names := []string{"servidor1", "servidor2", "servidor3"}
	require.Len(t, apps, len(names))
	for i, app := range apps {
		require.Equal(t, "argoproj.io/v1alpha1", app.APIVersion)
		require.Equal(t, names[i]+"-mlops", app.Metadata.Name)
		require.Equal(t, projects[0].Metadata.Name, app.Spec.Project)
		require.Contains(t, projects[0].Spec.SourceRepos, app.Spec.Source.RepoURL)
		require.Contains(t, projects[0].Spec.Destinations, app.Spec.Destination)
		require.Equal(t, names[i], app.Spec.Destination.Name, "each server is a cluster of its own")
		require.Equal(t, "main", app.Spec.Source.TargetRevision)
		require.True(t, app.Spec.SyncPolicy.Automated.Prune)
		require.True(t, app.Spec.SyncPolicy.Automated.SelfHeal)
		for _, d := range []string{app.Spec.SyncPolicy.Retry.Backoff.Duration, app.Spec.SyncPolicy.Retry.Backoff.MaxDuration} {
			_, err := time.ParseDuration(d)
			require.NoError(t, err)
		}

		require.FileExists(t, filepath.Join("..", app.Spec.Source.Path, "kustomization.yaml"))
		for _, m := range render(t, app.Spec.Source.Path[len("k8s/"):]) {
			if m.kind == "Namespace" {
				require.Equal(t, app.Spec.Destination.Namespace, m.name)
				continue
			}
			require.Equal(t, app.Spec.Destination.Namespace, m.namespace, m)
		}
	}
}

// TestImagesAreSetInOverlays looks for the entry that a release changes with kustomize edit set image.
func TestImagesAreSetInOverlays(t *testing.T) {
	for _, path := range overlays(t) {
		text, err := os.ReadFile(filepath.Join(path, "kustomization.yaml"))
		require.NoError(t, err)
		var overlay struct {
			Images []struct{ Name, NewTag string } `json:"images"`
		}
		require.NoError(t, yaml.Unmarshal(text, &overlay))
		require.True(t, slices.ContainsFunc(overlay.Images, func(i struct{ Name, NewTag string }) bool { return i.Name == "tasador" && i.NewTag != "" }), path)
	}
}
