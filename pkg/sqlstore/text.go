package sqlstore

import (
	"strings"
	"unicode/utf8"
)

// Storable reports whether every engine can store the texts as they are: they are UTF-8 and have no NUL, which PostgreSQL refuses.
func Storable(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return false
		}
	}
	return true
}

// Clean puts the replacement character in the place of what cannot be stored.
func Clean(s string) string {
	if Storable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
