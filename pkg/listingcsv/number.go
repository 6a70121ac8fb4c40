package listingcsv

import (
	"math"
	"strconv"

	"tasador/pkg/property"
)

// powers holds the powers of ten that doubles represent exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
	1e19, 1e20, 1e21, 1e22}

// exactDigits is how many digits surely fit the 53 bits of a double's mantissa.
const exactDigits = 15

// ParseNumber reads a decimal number: an optional sign, digits with an optional point, an optional exponent, white space around.
// Everything else is missing (NaN), and so is what a double cannot hold: words such as nan, inf or True, hexadecimal digits,
// separators within the number.
func ParseNumber(text []byte) float64 {
	i, negative := 0, false
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		negative = text[i] == '-'
		i++
	}
	from, mantissa, point := i, uint64(0), -1
	for ; i < len(text); i++ {
		c := text[i]
		if d := c - '0'; d <= 9 {
			mantissa = mantissa*10 + uint64(d)
			continue
		}
		if c != '.' || point >= 0 {
			return parseRare(text)
		}
		point = i
	}
	digits, decimals := i-from, 0
	if point >= 0 {
		digits, decimals = digits-1, i-point-1
	}
	if digits == 0 || digits > exactDigits {
		return parseRare(text)
	}
	v := float64(mantissa) / powers[decimals] // both exact, so the quotient is the nearest double
	if negative {
		v = -v
	}
	return v
}

// parseRare is ParseNumber for what needs more care.
func parseRare(text []byte) float64 {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	if !isDecimal(text) {
		return property.Null()
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && math.IsInf(v, 0) {
		return property.Null()
	}
	return v
}

// isDecimal reports whether text is [+-](digits[.digits]|.digits)[e[+-]digits], which is less than what strconv takes.
func isDecimal(text []byte) bool {
	text = withoutSign(text)
	whole := digits(text)
	text = text[whole:]
	decimals := 0
	if len(text) > 0 && text[0] == '.' {
		decimals = digits(text[1:])
		text = text[1+decimals:]
	}
	if whole+decimals == 0 {
		return false
	}
	if len(text) == 0 {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = withoutSign(text[1:])
	return len(text) > 0 && digits(text) == len(text)
}

func withoutSign(text []byte) []byte {
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		return text[1:]
	}
	return text
}

// digits counts the digits that text begins with.
func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n]-'0' <= 9 {
		n++
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
