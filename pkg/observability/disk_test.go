package observability_test

import (
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tasador/pkg/observability"
)

func TestWatchDiskTellsFreeSpaceAndSize(t *testing.T) {
	r := prometheus.NewRegistry()
	observability.WatchDisk(r, t.TempDir())
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := r.Gather()
	require.NoError(t, err)
	require.Len(t, families, 2)
	free, size := families[0].GetMetric()[0].GetGauge().GetValue(), families[1].GetMetric()[0].GetGauge().GetValue()
	require.Positive(t, free)
	require.Greater(t, size, free)

	gone := prometheus.NewRegistry()
	observability.WatchDisk(gone, filepath.Join(t.TempDir(), "missing"))
	families, err = gone.Gather()
	require.NoError(t, err)
	require.Empty(t, families, "what cannot be told is left out, and the other metrics are given")
}
