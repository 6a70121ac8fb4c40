package inference

import "math"

// threshold is below how many of all hashes a request goes to the challenger. all is set where that is each.
type threshold struct {
	below uint64
	all   bool
}

func thresholdOf(share float64) threshold {
	switch {
	case !(share > 0):
		return threshold{}
	case share >= 1:
		return threshold{all: true}
	}
	return threshold{below: uint64(math.Ldexp(share, 64))}
}

// takes reports whether a request of that id lies within the share.
func (t threshold) takes(id string) bool { return t.all || hash(id) < t.below }

// Choose returns the version that answers the request of an id: the challenger a share of them, else the one that is served. The same id
// always goes to the same of them, in every process, so that a retry does. Codes: Unavailable before the first promotion.
func (p *Predictor) Choose(id string) (*Served, error) {
	if challenger := p.challenger.current.Load(); challenger != nil && p.share.takes(id) {
		return challenger, nil
	}
	return p.Current()
}

// hash spreads texts evenly over 64 bits: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), whose high bits depend little on the last letters, then the
// finalizer of SplitMix64 (G. Steele, D. Lea, C. Flood 2014).
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
