package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/number"
)

// count writes a whole number, an int or int64, with the separators of the reader's locale.
func (v view) count(n any) string { return v.printer.Sprintf("%d", n) }

// significant is how many digits of a measured number a page shows at least; the whole one stands in a tooltip.
const significant = 6

// measure writes a measured number with about six digits: 70,123.46 or 0.0123457. Very large and very small ones get an exponent.
func (v view) measure(n float64) string {
	size := math.Abs(n)
	switch {
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 0):
		return strings.Replace(strconv.FormatFloat(n, 'g', -1, 64), "Inf", "∞", 1)
	case size != 0 && (size < 1e-4 || size >= 1e12):
		return strconv.FormatFloat(n, 'g', significant, 64)
	}
	digits := 2
	if size != 0 {
		digits = max(digits, significant-1-int(math.Floor(math.Log10(size))))
	}
	options := []number.Option{number.MaxFractionDigits(digits)}
	if digits == 2 && n != math.Trunc(n) {
		options = append(options, number.MinFractionDigits(digits)) // 512,862.50, so that columns line up
	}
	return v.printer.Sprint(number.Decimal(n, options...))
}

// short writes a measured number to three digits, which is what an average is read for: 2,240 or 3.53.
func (v view) short(n float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 3, 64), 64)
	if err != nil {
		return v.measure(n)
	}
	return v.printer.Sprint(number.Decimal(rounded, number.MaxFractionDigits(6)))
}

// percent writes a share with about two digits: 8.3%, 0.04%, 100%.
func (v view) percent(share float64) string {
	digits := 1
	if share > 0 && share < 0.01 {
		digits = min(6, -int(math.Floor(math.Log10(share)))-1)
	}
	return v.printer.Sprint(number.Percent(share, number.MaxFractionDigits(digits)))
}

// size writes a number of bytes in the largest unit that leaves something before the point.
func (v view) size(bytes int64) string {
	const step = 1024
	if bytes < step {
		return v.count(bytes) + " B"
	}
	value, units := float64(bytes)/step, []string{"kB", "MB", "GB", "TB"}
	for value >= step && len(units) > 1 {
		value, units = value/step, units[1:]
	}
	return v.printer.Sprint(number.Decimal(value, number.MaxFractionDigits(1))) + " " + units[0]
}

// took writes a duration in the unit that fits: 120 ms, 3.2 s, 4 min 10 s, 2 h 5 min.
func (v view) took(d time.Duration) string {
	switch {
	case d < time.Second:
		return v.count(d.Milliseconds()) + " ms"
	case d < time.Minute:
		return v.printer.Sprint(number.Decimal(d.Seconds(), number.MaxFractionDigits(1))) + " s"
	case d < time.Hour:
		return parts(int64(d/time.Minute), "min", int64(d%time.Minute/time.Second), "s")
	default:
		return parts(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "min")
	}
}

func parts(large int64, unit string, small int64, smaller string) string {
	text := strconv.FormatInt(large, 10) + " " + unit
	if small > 0 {
		text += " " + strconv.FormatInt(small, 10) + " " + smaller
	}
	return text
}

// instant is a point in time, of whatever type.
type instant interface{ UTC() time.Time }

// machine writes an instant for programs, among them the script that turns it into the reader's zone.
func machine(t instant) string { return t.UTC().Format(time.RFC3339Nano) }

// utc writes an instant as the reader's language does: Jan 2, 2026, 15:04:05 UTC, as browsers write it with the zone.
func (v view) utc(t instant) string {
	at := t.UTC()
	if v.base != "es" {
		return at.Format("Jan 2, 2006, 15:04:05 UTC")
	}
	months := [...]string{"ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"}
	return at.Format("2 ") + months[at.Month()-1] + at.Format(" 2006, 15:04:05 UTC")
}
