package ci_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestADeployIsNotStartedByItsOwnCommit(t *testing.T) {
	text := workflows(t)["deploy.yaml"]
	subject := regexp.MustCompile(`subject='(.*)'`).FindStringSubmatch(func() string {
		b, err := os.ReadFile("servers.sh")
		require.NoError(t, err)
		return string(b)
	}())
	require.Len(t, subject, 2)
	require.Contains(t, text, "startsWith(github.event.head_commit.message, '"+subject[1]+" ')")
	require.Contains(t, text, "group: deploy")
	require.Contains(t, text, "cancel-in-progress: false")
}

// TestNothingIsPublishedBeforeItWasTried follows the needs of the jobs.
func TestNothingIsPublishedBeforeItWasTried(t *testing.T) {
	text := workflows(t)["deploy.yaml"]
	var order struct {
		Jobs map[string]struct {
			Needs any
			Steps []struct{ Run string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &order))
	require.Equal(t, []any{"servers", "image"}, order.Jobs["publish"].Needs)
	require.Equal(t, []any{"servers", "test"}, order.Jobs["image"].Needs)
	var smoked bool
	for _, s := range order.Jobs["image"].Steps {
		smoked = smoked || strings.HasPrefix(s.Run, "scripts/ci/smoke.py --image ")
		require.NotContains(t, s.Run, "publish")
	}
	require.True(t, smoked)
}
