package tracking

import (
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

// readPoints reads a list of points that is written as clients write it: flat objects with known names, each once, texts without escapes. It reports
// false for any other, which encoding/json then reads; sent is valid JSON. A batch may have a thousand, for which that would be slow.
func readPoints(sent []byte) ([]experiment.Metric, bool) {
	p := pointReader{in: sent, texts: map[string]string{}}
	if !p.take('[') {
		return nil, false
	}
	points := make([]experiment.Metric, 0, len(sent)/bytesAPoint)
	if p.take(']') {
		return points, true
	}
	for {
		m, ok := p.point()
		if !ok {
			return nil, false
		}
		points = append(points, m)
		if p.take(']') {
			return points, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

// bytesAPoint is about how long a point is.
const bytesAPoint = 64

type pointReader struct {
	in    []byte
	texts map[string]string // seen before: names come again and again
}

func (p *pointReader) space() {
	for len(p.in) > 0 && (p.in[0] == ' ' || p.in[0] == '\n' || p.in[0] == '\t' || p.in[0] == '\r') {
		p.in = p.in[1:]
	}
}

func (p *pointReader) take(c byte) bool {
	p.space()
	if len(p.in) == 0 || p.in[0] != c {
		return false
	}
	p.in = p.in[1:]
	return true
}

// quoted reads a text without escapes.
func (p *pointReader) quoted() ([]byte, bool) {
	if !p.take('"') {
		return nil, false
	}
	for i, c := range p.in {
		switch c {
		case '\\':
			return nil, false
		case '"':
			text := p.in[:i]
			p.in = p.in[i+1:]
			return text, true
		}
	}
	return nil, false
}

// scalar reads a number, or a text that holds one.
func (p *pointReader) scalar() ([]byte, bool) {
	p.space()
	if len(p.in) > 0 && p.in[0] == '"' {
		return p.quoted()
	}
	n := 0
	for n < len(p.in) && (p.in[n] >= '0' && p.in[n] <= '9' || p.in[n] == '-' || p.in[n] == '+' || p.in[n] == '.' || p.in[n] == 'e' || p.in[n] == 'E') {
		n++
	}
	number := p.in[:n]
	p.in = p.in[n:]
	return number, n > 0
}

func (p *pointReader) text() (string, bool) {
	b, ok := p.quoted()
	s, known := p.texts[string(b)]
	if !known {
		s = string(b)
		p.texts[s] = s
	}
	return s, ok
}

// The fields of a point, as bits.
const (
	hasKey = 1 << iota
	hasValue
	hasTimestamp
	hasStep
	hasModel
	hasAll = hasKey | hasValue | hasTimestamp
)

func (p *pointReader) point() (m experiment.Metric, ok bool) {
	if !p.take('{') {
		return m, false
	}
	seen := 0
	for {
		name, ok := p.quoted()
		if !ok || !p.take(':') {
			return m, false
		}
		field, ok := p.field(string(name), &m)
		if !ok || seen&field != 0 {
			return m, false
		}
		seen |= field
		if p.take('}') {
			return m, seen&hasAll == hasAll && m.Key != ""
		}
		if !p.take(',') {
			return m, false
		}
	}
}

// field reads the value of a field into m.
func (p *pointReader) field(name string, m *experiment.Metric) (field int, ok bool) {
	switch name {
	case "key":
		m.Key, ok = p.text()
		return hasKey, ok
	case "model_id":
		m.ModelID, ok = p.text()
		return hasModel, ok
	}
	number, ok := p.scalar()
	if !ok {
		return 0, false
	}
	var err error
	switch name {
	case "value":
		m.Value, err = mlflowapi.ParseFloat(string(number))
		field = hasValue
	case "timestamp":
		m.Timestamp, err = mlflowapi.ParseInt(string(number))
		field = hasTimestamp
	case "step":
		m.Step, err = mlflowapi.ParseInt(string(number))
		field = hasStep
	default:
		return 0, false
	}
	return field, err == nil
}
