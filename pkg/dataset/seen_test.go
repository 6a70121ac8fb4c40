package dataset_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

func TestASeenFilterForgetsNothingAndErrsAsItSays(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var f *dataset.SeenFilter
	var kept []dataset.SeenLayer
	var added []uint64
	for range 5 { // as five batches do, each in a process of its own
		f = dataset.NewSeenFilter(kept)
		f.Reserve(60_000)
		for range 60_000 {
			h := random.Uint64()
			added = append(added, h)
			f.Add(h)
		}
		kept = nil
		for _, l := range f.Layers() {
			kept = append(kept, dataset.SeenLayer{Rows: l.Rows, Entries: l.Entries, Bits: l.Bits})
		}
	}
	require.Equal(t, 300_000, f.Rows())
	require.LessOrEqual(t, len(kept), 3)
	size := 0
	for _, l := range kept {
		size += len(l.Bits)
	}
	require.LessOrEqual(t, size, 2<<20)
	for _, h := range added {
		require.True(t, f.Contains(h))
	}
	wrong := 0
	const fresh = 1_000_000
	for range fresh {
		if f.Contains(random.Uint64()) {
			wrong++
		}
	}
	rate := f.FalsePositiveRate()
	require.Less(t, rate, 0.01)
	require.InDelta(t, rate*fresh, wrong, 6*math.Sqrt(rate*fresh)+1, "six standard deviations")
}

func TestASeenFilterIsBounded(t *testing.T) {
	f := dataset.NewSeenFilter(nil)
	for range 50 {
		f.Reserve(100_000_000)
		f.Add(rand.Uint64())
	}
	size := 0
	for _, l := range f.Layers() {
		size += len(l.Bits)
	}
	require.LessOrEqual(t, size, 42<<20)
	require.Zero(t, dataset.NewSeenFilter(nil).FalsePositiveRate())
	require.False(t, dataset.NewSeenFilter(nil).Contains(1))
}

func TestEqualRowsHaveEqualHashes(t *testing.T) {
	hash := func(change func(*property.Listing)) uint64 {
		l := good()
		change(&l)
		return dataset.RowHash(&l)
	}
	base := hash(func(*property.Listing) {})
	require.Equal(t, base, hash(func(*property.Listing) {}))
	require.Equal(t, hash(func(l *property.Listing) { l.Bed = 0 }), hash(func(l *property.Listing) { l.Bed = math.Copysign(0, -1) }))
	require.Equal(t, hash(func(l *property.Listing) { l.Bed = math.NaN() }), hash(func(l *property.Listing) { l.Bed = math.Float64frombits(0x7ff8000000000123) }))
	seen := map[uint64]int{base: -1}
	text := property.NewText
	for i, change := range []func(*property.Listing){
		func(l *property.Listing) { l.BrokeredBy = 2 }, func(l *property.Listing) { l.Street = 2 }, func(l *property.Listing) { l.Price++ },
		func(l *property.Listing) { l.Bed = property.Null() }, func(l *property.Listing) { l.Bed, l.Bath = l.Bath, l.Bed }, func(l *property.Listing) { l.AcreLot = 1 },
		func(l *property.Listing) { l.HouseSize = 1 }, func(l *property.Listing) { l.Status = text("") }, func(l *property.Listing) { l.Status = property.Text{} },
		func(l *property.Listing) { l.City, l.State = text("HartfordC"), text("onnecticut") }, func(l *property.Listing) { l.ZipCode = text("6103") },
		func(l *property.Listing) { l.PrevSoldDate = property.Text{} },
	} {
		h := hash(change)
		other, there := seen[h]
		require.False(t, there, "%d is like %d", i, other)
		seen[h] = i
	}
}

func TestRowsSeenBefore(t *testing.T) {
	earlier := dataset.NewSeenFilter(nil)
	for i := range 100 {
		l := good()
		l.Price = float64(i)
		earlier.Add(dataset.RowHash(&l))
	}
	p := dataset.NewProfiler(earlier)
	for i := 70; i < 400; i++ { // 30 of them are there already
		l := good()
		l.Price = float64(i)
		p.Add(&l)
		p.Add(&l) // twice in one batch is not seen before, unless it was
	}
	got := p.Profile().SeenBefore
	require.Equal(t, 100, got.ComparedWith)
	require.Equal(t, 60, got.Rows)
	require.Less(t, got.FalsePositiveRate, 1e-6)
}
