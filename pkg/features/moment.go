package features

import (
	"unicode"
	"unicode/utf8"
)

// moment is an instant in seconds since 1970 (UTC) and nanoseconds after that.
type moment struct{ seconds, nanos int64 }

func parseMoment[T ~string | ~[]byte](s T) (moment, bool) {
	if len(s) != len("2006-01-02") || !isASCII(s) {
		return parseLong(string(s))
	}
	p := parser{text: string(s), plain: true}
	day, ok := p.date()
	if !ok { // it may be white space around something shorter
		return parseLong(string(s))
	}
	return moment{seconds: day * secondsPerDay}, true
}

func isASCII[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// parseLong reads a date with what may stand around and behind it.
func parseLong(s string) (moment, bool) {
	s, plain := asciiDigits(trim(s))
	p := parser{text: s, plain: plain}
	day, ok := p.date()
	if !ok {
		return moment{}, false
	}
	m := moment{seconds: day * secondsPerDay}
	if p.atEnd() {
		return m, true
	}
	if !p.take('T') && !p.take(' ') {
		return moment{}, false
	}
	seconds, fraction, ok := p.clock()
	if !ok {
		return moment{}, false
	}
	offset, ok := p.offset()
	if !ok || !p.atEnd() {
		return moment{}, false
	}
	m.seconds += seconds - offset
	m.nanos = p.nanoseconds(fraction)
	return m, true
}

// parser walks over a text that holds ASCII digits only. plain is false once the text held something that the reference reads
// with its lenient parser, which knows microseconds only.
type parser struct {
	text  string
	at    int
	plain bool
}

func (p *parser) atEnd() bool { return p.at == len(p.text) }

func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// digits reads exactly n digits.
func (p *parser) digits(n int) (int64, bool) {
	if len(p.text)-p.at < n {
		return 0, false
	}
	var v int64
	for _, c := range []byte(p.text[p.at : p.at+n]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	p.at += n
	return v, true
}

// date reads YYYY-MM-DD as days since 1970-01-01.
func (p *parser) date() (int64, bool) {
	year, ok := p.digits(4)
	if !ok || !p.take('-') {
		return 0, false
	}
	month, ok := p.digits(2)
	if !ok || !p.take('-') {
		return 0, false
	}
	day, ok := p.digits(2)
	if !ok || year < firstYear || year > lastYear || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	return daysFromCivil(year, month, day), true
}

// clock reads hh:mm[:ss[.fraction]] as seconds and the digits of the fraction.
func (p *parser) clock() (seconds int64, fraction string, ok bool) {
	hour, ok := p.digits(2)
	if !ok || hour > 23 || !p.take(':') {
		return 0, "", false
	}
	minute, ok := p.digits(2)
	if !ok || minute > 59 {
		return 0, "", false
	}
	seconds = hour*3600 + minute*60
	if !p.take(':') {
		return seconds, "", true
	}
	second, ok := p.digits(2)
	if !ok || second > 59 {
		return 0, "", false
	}
	seconds += second
	if !p.take('.') {
		return seconds, "", true
	}
	from := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return seconds, p.text[from:p.at], p.at > from
}

// offset reads nothing, Z, +hh:mm or +hhmm as seconds east of UTC.
func (p *parser) offset() (int64, bool) {
	if p.atEnd() || p.take('Z') {
		return 0, true
	}
	sign := int64(1)
	if !p.take('+') {
		if !p.take('-') {
			return 0, false
		}
		sign = -1
	}
	hours, ok := p.digits(2)
	if !ok {
		return 0, false
	}
	p.take(':')
	minutes, ok := p.digits(2)
	seconds := hours*3600 + minutes*60
	if !ok || seconds >= secondsPerDay {
		return 0, false
	}
	if minutes > 59 {
		p.plain = false
	}
	return sign * seconds, true
}

// nanoseconds turns the digits of a fraction into nanoseconds, cut off after the ninth digit. The reference's strict parser takes
// up to 18 digits; what goes to its lenient one is cut off after the sixth.
func (p *parser) nanoseconds(fraction string) int64 {
	kept := 9
	if !p.plain || len(fraction) > 18 {
		kept = 6
	}
	var v int64
	for i := range 9 {
		v *= 10
		if i < kept && i < len(fraction) {
			v += int64(fraction[i] - '0')
		}
	}
	return v
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 to a date of the Gregorian calendar. Years are taken to begin in March, so that
// the leap day is the last of its year.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	const daysTo1970 = 719468 // from 0000-03-01
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - daysTo1970
}

// asciiDigits replaces the decimal digits of every script by 0 to 9, as Python's \d takes them all, and reports whether there
// was nothing to replace.
func asciiDigits(s string) (string, bool) {
	if isASCII(s) {
		return s, true
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		out = append(out, asciiDigit(r))
	}
	return string(out), false
}

func asciiDigit(r rune) rune {
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return r
	}
	// Unicode lists the digits of a script together from zero to nine.
	for _, span := range unicode.Nd.R16 {
		if r >= rune(span.Lo) && r <= rune(span.Hi) {
			return '0' + (r-rune(span.Lo))%10
		}
	}
	for _, span := range unicode.Nd.R32 {
		if r >= rune(span.Lo) && r <= rune(span.Hi) { // #nosec G115 -- Unicode ends at 0x10FFFF
			return '0' + (r-rune(span.Lo))%10 // #nosec G115 -- as above
		}
	}
	return r
}

// trim removes what Python's str.strip does.
func trim(s string) string {
	from, to := 0, len(s)
	for from < to {
		r, size := utf8.DecodeRuneInString(s[from:])
		if !isSpace(r) {
			break
		}
		from += size
	}
	for from < to {
		r, size := utf8.DecodeLastRuneInString(s[from:to])
		if !isSpace(r) {
			break
		}
		to -= size
	}
	return s[from:to]
}

// isSpace is Python's str.isspace for one character: Unicode's white space and the four ASCII separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
