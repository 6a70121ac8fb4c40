package audit

import (
	"maps"
	"slices"
	"strings"
)

// bound shortens what clients choose, so that a line stays a line.
func (e *Entry) bound() {
	for _, text := range []*string{&e.User, &e.Token, &e.Agent, &e.Error, &e.Action} {
		*text = short(*text)
	}
	for name, value := range e.Object {
		if len(value) > maxText {
			e.Object[name] = short(value)
		}
	}
}

func short(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

// joined is an object in one text.
func joined(object map[string]string) string {
	if len(object) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(object)) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(object[name])
		b.WriteByte(0)
	}
	return b.String()
}

// Of is what an entry is about, such as name=M version=3.
func (e *Entry) Of() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Object)) {
		parts = append(parts, name+"="+e.Object[name])
	}
	return strings.Join(parts, " ")
}
