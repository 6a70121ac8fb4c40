package dataset_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
)

// hash joins positions as the reference's results do.
func hash(positions []uint32) string {
	lines := make([]string, len(positions))
	for i, p := range positions {
		lines[i] = strconv.FormatUint(uint64(p), 10)
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}

// The expected orders are those of pandas 3.1.1: pandas.DataFrame({"a": range(n)}).sample(frac=1, random_state=seed).index.
func TestPositionsAreTheOrderOfPandasSample(t *testing.T) {
	for _, c := range []struct {
		n     int
		seed  uint32
		first []uint32
		hash  string
	}{
		{1, 42, []uint32{0}, "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"},
		{2, 42, []uint32{1, 0}, "4ea2ed1420659bf15773230715e87b4408625eaf88869b7e8bb51c42889579d6"},
		{3, 42, []uint32{0, 1, 2}, "c4276dce1d5952cafea6aebd872c389f0945e4a2400859fa3998138d2e006f34"},
		{10, 42, []uint32{8, 1, 5, 0, 7, 2, 9, 4}, "8036b954fea145df9cc93ac6724854451ad515e1af98b58f4d9f0f85c1ef39f7"},
		{1000, 42, []uint32{521, 737, 740, 660, 411, 678, 626, 513}, "a65d98707e1712c9def4a335b13616b780434d940feb571467133e1b293d06eb"},
		{100000, 42, []uint32{75721, 80184, 19864, 76699, 92991, 76434, 84004, 80917}, "4817389496f86da07ae5482642bdd452535e99f7387ef0f6cfde7ae2ca3a473a"},
		{65537, 7, []uint32{47804, 15466, 49000, 13259, 14555, 60170, 48426, 26651}, "a894ae36c4757ddc9566c53a0fcefdfd0c2dcc05af58b19117b672ac3ac53571"},
		{1000, 4294967295, []uint32{94, 405, 819, 632, 217, 169, 449, 275}, "13e713bf324bf9a9be9820b3fda55e911edae85d6a64e03a9c675e4d17adec45"},
	} {
		positions := dataset.Positions(c.n, c.seed)
		require.Equal(t, c.first, positions[:len(c.first)], "n %d", c.n)
		require.Equal(t, c.hash, hash(positions), "n %d seed %d", c.n, c.seed)
	}
	require.Empty(t, dataset.Positions(0, 42))
}

func TestPositionsHoldEveryRowOnce(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256, 257, 4095} {
		positions := dataset.Positions(n, 1)
		slices.Sort(positions)
		for i, p := range positions {
			require.EqualValues(t, i, p)
		}
	}
}

// The cuts are those that Python's int(0.6*n) and int(0.8*n) give; 0.6*n falls short of a whole number now and then.
func TestCutsAreThoseOfPython(t *testing.T) {
	for n, cuts := range map[int][2]int{0: {0, 0}, 1: {0, 0}, 2: {1, 1}, 3: {1, 2}, 4: {2, 3}, 5: {3, 4}, 10: {6, 8}, 12885: {7731, 10308}, 10000005: {6000003, 8000004}} {
		a, b := dataset.Cuts(n)
		require.Equal(t, cuts, [2]int{a, b}, "n %d", n)
	}
}

func TestSplitsLieBehindEachOtherAndTakeEveryRow(t *testing.T) {
	for n := range 40 {
		end := 0
		for _, split := range dataset.Splits() {
			from, to := dataset.Range(split, n)
			require.Equal(t, end, from, "%s of %d rows", split, n)
			require.GreaterOrEqual(t, to, from, "%s of %d rows", split, n)
			end = to
		}
		require.Equal(t, n, end)
	}
}

func BenchmarkPositions(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		dataset.Positions(1_000_000, dataset.Seed)
	}
	b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "rows/s")
}
