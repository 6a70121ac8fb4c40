package dataset

import "gonum.org/v1/gonum/mathext/prng"

// Positions returns the raw positions 0…n-1 in shuffled order: Positions(n, seed)[i] is the raw position of the i-th shuffled row.
//
// It is the order of pandas' df.sample(frac=1, random_state=seed): MT19937, Fisher–Yates from the last element down, every index
// drawn by masking a 32-bit output to the next power of two and rejecting those too large. It takes 4 bytes a row.
func Positions(n int, seed uint32) []uint32 {
	positions := make([]uint32, n)
	for i := range positions {
		positions[i] = uint32(i) // #nosec G115 -- n rows are held in memory, far fewer than 2^32
	}
	source := prng.NewMT19937()
	source.Seed(uint64(seed))
	mask := ceilMask(uint32(max(n-1, 0))) // #nosec G115 -- as above
	for i := n - 1; i > 0; i-- {
		last := uint32(i) // #nosec G115 -- as above
		for mask>>1 >= last {
			mask >>= 1
		}
		j := source.Uint32() & mask
		for j > last {
			j = source.Uint32() & mask
		}
		positions[i], positions[j] = positions[j], positions[i]
	}
	return positions
}

// ceilMask returns the smallest 2^k-1 that is not below v.
func ceilMask(v uint32) uint32 {
	v |= v >> 1
	v |= v >> 2
	v |= v >> 4
	v |= v >> 8
	return v | v>>16
}
