package dataset

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go/bloom"

	"tasador/pkg/property"
)

// SeenFilter remembers rows by their hashes, in split-block Bloom filters (Putze, Sanders, Singler 2007, as Parquet has them): a row that
// was added is always found, one that was not is found by mistake with the probability FalsePositiveRate. It grows by further layers,
// larger ones first, up to 41 MiB: with 16 bits a row that is enough for 11 million rows at 1 % and for 21 million at 2 %; more are taken in,
// but the rate grows fast then. It is for one goroutine.
type SeenFilter struct{ layers []SeenLayer }

// SeenLayer is one layer of a SeenFilter as it is kept. Layers are filled one after the other.
type SeenLayer struct {
	Rows    int    // rows that were added while it was the last layer
	Entries int    // those of them that were not there yet
	Bits    []byte // a multiple of 32 bytes
	filter  bloom.SplitBlockFilter
	Changed bool // since NewSeenFilter
}

const (
	bitsPerRow   = 16
	smallLayer   = 64 << 10 // bytes
	largeLayer   = 4 << 20
	largeLayers  = 10
	layerGrowth  = 4
	rowsPerBytes = 8 / float64(bitsPerRow)
)

// NewSeenFilter returns a filter of the layers that an earlier one had; without any it is empty.
func NewSeenFilter(layers []SeenLayer) *SeenFilter {
	f := &SeenFilter{layers: layers}
	for i := range f.layers {
		f.layers[i].filter = bloom.MakeSplitBlockFilter(f.layers[i].Bits)
	}
	return f
}

// Layers returns the layers to keep.
func (f *SeenFilter) Layers() []SeenLayer { return f.layers }

// Rows is how many rows were added.
func (f *SeenFilter) Rows() int {
	n := 0
	for i := range f.layers {
		n += f.layers[i].Rows
	}
	return n
}

// Reserve makes room for so many rows more, which keeps the layers few.
func (f *SeenFilter) Reserve(rows int) {
	if len(f.layers) > 0 && f.layers[len(f.layers)-1].room() >= rows {
		return
	}
	size, large := smallLayer, 0
	for i := range f.layers {
		size = max(size, min(largeLayer, len(f.layers[i].Bits)*layerGrowth))
		if len(f.layers[i].Bits) >= largeLayer {
			large++
		}
	}
	if large == largeLayers {
		return
	}
	for size < largeLayer && float64(size)*rowsPerBytes < float64(rows) {
		size *= 2
	}
	layer := SeenLayer{Bits: make([]byte, size)}
	layer.filter = bloom.MakeSplitBlockFilter(layer.Bits)
	f.layers = append(f.layers, layer)
}

// room is how many rows the layer takes before it is full.
func (l *SeenLayer) room() int { return int(float64(len(l.Bits))*rowsPerBytes) - l.Entries }

// Add adds a row by its hash.
func (f *SeenFilter) Add(hash uint64) {
	if len(f.layers) == 0 || f.layers[len(f.layers)-1].room() <= 0 {
		f.Reserve(1)
	}
	known := f.Contains(hash)
	last := &f.layers[len(f.layers)-1]
	last.Rows++
	last.Changed = true
	if !known {
		last.Entries++
		last.filter.Insert(hash)
	}
}

// Contains reports whether a row with that hash was added; see FalsePositiveRate.
func (f *SeenFilter) Contains(hash uint64) bool {
	for i := range f.layers {
		if f.layers[i].filter.Check(hash) {
			return true
		}
	}
	return false
}

// countSeen returns how many of the hashes Contains knows. It changes their order.
func (f *SeenFilter) countSeen(hashes []uint64) int {
	unknown := hashes
	for i := range f.layers {
		rest := unknown[:0]
		for _, h := range unknown {
			if !f.layers[i].filter.Check(h) {
				rest = append(rest, h)
			}
		}
		unknown = rest
	}
	return len(hashes) - len(unknown)
}

// FalsePositiveRate is the probability that a row that was not added is found, by the bits that are set: a row is found in a block if in
// each of its eight words the one bit that belongs to the row is set.
func (f *SeenFilter) FalsePositiveRate() float64 {
	missed := 1.0
	for i := range f.layers {
		sum := 0.0
		for _, block := range f.layers[i].filter {
			p := 1.0
			for _, word := range block {
				p *= float64(bits.OnesCount32(uint32(word))) / 32
			}
			sum += p
		}
		missed *= 1 - sum/float64(len(f.layers[i].filter))
	}
	return 1 - missed
}

// RowHash returns a 64-bit hash (xxHash) of the twelve values of a row. Rows that are equal have the same one, in every process; rows that
// differ have the same one with a probability of 2^-64.
func RowHash(l *property.Listing) uint64 {
	var room [256]byte
	row := room[:0]
	for _, v := range [...]float64{l.BrokeredBy, l.Price, l.Bed, l.Bath, l.AcreLot, l.Street, l.HouseSize} {
		if property.IsNull(v) {
			v = math.NaN() // there are many
		}
		row = binary.LittleEndian.AppendUint64(row, math.Float64bits(v+0)) // −0 is 0
	}
	for _, t := range [...]*property.Text{&l.Status, &l.City, &l.State, &l.ZipCode, &l.PrevSoldDate} {
		if !t.Valid {
			row = append(row, 0)
			continue
		}
		row = binary.AppendUvarint(row, uint64(len(t.Value))+1)
		row = append(row, t.Value...)
	}
	return xxhash.Sum64(row)
}
