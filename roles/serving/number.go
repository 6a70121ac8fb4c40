package serving

import (
	"math"
	"strconv"
	"strings"
)

// parseNumber reads a number that came as text: in CSV, in a form, in a query or where a protocol takes texts for numbers. One is written in decimal digits, with
// a sign, a point and an exponent where needed, and blanks around it: what pandas reads as a number in CSV, and JSON but for the sign + and a point at either end.
// What only Go takes for one (1_000, 0x1p4, infinity), and NaN, is none. One that no double holds is infinite, which no limit lets pass.
func parseNumber(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '.', c == '+', c == '-', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil || math.IsInf(n, 0)
}
