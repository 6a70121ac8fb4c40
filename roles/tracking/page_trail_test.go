package tracking_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/registry"
	"tasador/roles/tracking"
)

// TestPeriods: two versions at once, one that was there before the trail began, one that is there still. Moves come newest first.
func TestPeriods(t *testing.T) {
	stage := func(at int64, version, from, to string) registry.Move {
		return registry.Move{At: at, Matter: registry.StageMatter, Version: version, From: from, To: to}
	}
	moves := []registry.Move{
		stage(50, "3", "None", "Production"), stage(50, "1", "Production", "Archived"), stage(40, "2", "Production", ""),
		stage(30, "1", "Archived", "Production"), stage(20, "2", "None", "Production"), stage(10, "1", "Production", "Archived"),
	}
	require.Equal(t, [][3]any{
		{"3", int64(50), int64(0)}, {"1", int64(30), int64(50)}, {"2", int64(20), int64(40)}, {"1", int64(0), int64(10)},
	}, tracking.Periods(moves))
	require.Empty(t, tracking.Periods(nil))
}
