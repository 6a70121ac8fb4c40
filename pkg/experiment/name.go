package experiment

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

func index(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]." }

var (
	adjectives = [...]string{
		"amber", "bold", "brisk", "calm", "clever", "cosy", "eager", "fair", "gentle", "glad", "golden", "honest", "keen", "kind",
		"lively", "lucky", "mellow", "merry", "neat", "nimble", "patient", "proud", "quick", "quiet", "rapid", "sunny", "swift", "tidy",
		"upright", "vivid", "warm", "wise",
	}
	nouns = [...]string{
		"arch", "attic", "balcony", "barn", "beam", "bridge", "cabin", "castle", "chimney", "cottage", "cellar", "dome", "door", "fence",
		"garden", "gate", "harbour", "house", "lodge", "manor", "meadow", "orchard", "patio", "porch", "roof", "stair", "terrace", "tower",
		"tunnel", "veranda", "villa", "window",
	}
)

// RandomName makes up a name for a run or a model that has none, such as calm-porch-417.
func RandomName() string {
	return fmt.Sprintf("%s-%s-%d", adjectives[rand.IntN(len(adjectives))], nouns[rand.IntN(len(nouns))], rand.IntN(1000)) //nolint:gosec // not secret
}
