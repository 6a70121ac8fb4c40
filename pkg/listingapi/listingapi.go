// Package listingapi speaks the protocol of the data API that hands out listings in batches: a client that fetches a batch as
// it came, and a decoder that reads a kept batch as a stream.
package listingapi

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// ExhaustedDetail is what the data API says, with status 400, after its last batch.
const ExhaustedDetail = "Ya se recolectó toda la información mínima necesaria"

// The paths of the data API under its base address.
const (
	PathData    = "data"
	PathRestart = "restart_data_generation"
)

// HeaderIdempotencyKey names the header whose value makes a source answer the same request with the same batch again.
const HeaderIdempotencyKey = "Idempotency-Key"

// Batch is what a payload says about itself, known only after its last byte.
type Batch struct {
	Group    int      // 0 if the payload does not say
	Number   int      // 0 if the payload does not say
	Columns  []string // known columns that some row has, in the order of property.Columns
	Finished bool     // the payload is the source's word that it has no more
}

// Report counts what the decoder met.
type Report struct {
	Rows    int
	Invalid map[string]int // values of the wrong type by column; each became NULL
}

// isExhausted reports whether a detail says that the source has no more, in upper or lower case, with or without accents.
func isExhausted(detail string) bool { return strings.Contains(plain(detail), plain(ExhaustedDetail)) }

// plain lowers s, takes the accents off its letters and makes every run of spaces one.
func plain(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
