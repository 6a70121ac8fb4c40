package artifact

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tasador/pkg/apperror"
)

// maxDecode bounds how often something may be encoded; honest clients encode once.
const maxDecode = 10

// Decode undoes percent-encoding until nothing is left to undo, so that no check is fooled by encoding twice. Codes: Invalid.
func Decode(s string) (string, error) {
	for range maxDecode {
		next := unescape(s)
		if next == s {
			return s, nil
		}
		s = next
	}
	return "", apperror.New(apperror.Invalid, "It is percent-encoded too often.")
}

// unescape decodes what is percent-encoded once; a percent sign that encodes nothing stands for itself.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

const maxPath = 4096

// CheckPath refuses paths that are not plain, relative and below the root, however often they are percent-encoded; the empty path
// is the root. Codes: Invalid.
func CheckPath(p string) error {
	plain, err := Decode(p)
	if err != nil || len(p) > maxPath {
		return invalidPath(p)
	}
	if plain == "" {
		return nil
	}
	drive := len(plain) > 1 && plain[1] == ':' && (plain[0]|0x20 >= 'a' && plain[0]|0x20 <= 'z')
	// Only as written: MLflow's clients name pictures dog%step%100%timestamp%…, which is not meant as an encoding.
	control := strings.Contains(plain, "\x00") || strings.IndexFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0
	if drive || control || !utf8.ValidString(p) || strings.ContainsAny(plain, `\#`) || path.IsAbs(plain) || path.Clean(plain) != strings.TrimSuffix(plain, "/") ||
		slices.Contains(strings.Split(plain, "/"), "..") || plain == "." {
		return invalidPath(p)
	}
	return nil
}

// Tidy takes single dots and doubled slashes out of a path that a client wrote, as MLflow's server does. What leads upwards or is
// percent-encoded stays, for CheckPath to see.
func Tidy(p string) string {
	parts := strings.Split(p, "/")
	kept := parts[:0]
	for i, part := range parts {
		inner := i > 0 && i < len(parts)-1
		if part == "." || (part == "" && inner) {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "/")
}

// InvalidPath is the refusal of a path by its looks.
type InvalidPath struct{ Path string }

func (e *InvalidPath) Error() string { return strconv.Quote(e.Path) }

func invalidPath(p string) error {
	shown := p
	if len(shown) > 300 {
		shown = shown[:300] + "…"
	}
	return apperror.Wrap(apperror.Invalid, &InvalidPath{p}, "Invalid path %q: name a plain relative path, without .. and control characters", shown)
}
