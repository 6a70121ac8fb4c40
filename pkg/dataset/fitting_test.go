package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

func TestFittingGateIsTheStrictestThatLetsABatchThrough(t *testing.T) {
	good := property.Listing{
		Status: property.NewText("for_sale"), Bed: 3, Bath: 2, AcreLot: 0.5, HouseSize: 1500, Price: 100000, PrevSoldDate: property.NewText("2020-01-31"),
	}
	noBath, bigBed := good, good
	noBath.Bath = property.Null()
	bigBed.Bed = 11
	rows := dataset.NewProfiler(nil)
	for range 197 {
		rows.Add(&good)
	}
	rows.Add(&noBath)
	rows.Add(&bigBed)
	rows.Add(&bigBed)
	p := rows.Profile()
	g := p.FittingGate()
	require.Equal(t, []string{"bath"}, g.Nullable)
	require.InDelta(t, 0.01, g.MaxInvalidRatio, 0, "2 of 200 rows are out of range")
	require.True(t, g.Decide(p).Train)
	g.Nullable = nil
	require.False(t, g.Decide(p).Train)

	clean := dataset.NewProfiler(nil)
	clean.Add(&good)
	require.Equal(t, dataset.Gate{}, clean.Profile().FittingGate())
}
