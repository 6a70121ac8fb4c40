package k8s

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestOriginalAddresses holds the three servers to the ports, names and sizes of the stack that they take the place of.
func TestOriginalAddresses(t *testing.T) {
	for _, server := range []struct {
		path  string
		ports map[string]map[int32]int32 // service → its port → node port
	}{
		{servidor1, map[string]map[int32]int32{"mysql": {3306: 30306}}},
		{servidor2, map[string]map[int32]int32{"minio": {9000: 30001, 9001: 30002}, "tracking": {5000: 30003}}},
		{servidor3, map[string]map[int32]int32{"serving": {8000: 30100, 8501: 31851}, "prometheus": {9090: 30900}, "grafana": {3000: 30031}}},
	} {
		c := decode(render(t, server.path), nil)
		require.Empty(t, c.problems)
		for name, ports := range server.ports {
			s, ok := find[*corev1.Service](c, name)
			require.True(t, ok, name)
			got := map[int32]int32{}
			for _, p := range s.Spec.Ports {
				got[p.Port] = p.NodePort
			}
			require.Equal(t, ports, got, name)
		}
		_, ok := find[*corev1.Namespace](c, "mlops")
		require.True(t, ok)
	}

	c := decode(render(t, servidor1), nil)
	mysql, ok := find[*appsv1.StatefulSet](c, "mysql")
	require.True(t, ok)
	require.Len(t, mysql.Spec.VolumeClaimTemplates, 1)
	require.Equal(t, resource.MustParse("5Gi"), mysql.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage])

	c = decode(render(t, servidor2), secretsOf(t, servidor2))
	_, ok = find[*batchv1.Job](c, "mlflows3")
	require.True(t, ok)
	for _, w := range c.pods {
		if w.name == "Deployment tracking" {
			require.Equal(t, "s3://mlflows3/artifacts", c.settingsOf(w.template.Spec.Containers[0]).env["TASADOR_ARTIFACTS_ROOT"])
		}
	}
}
