package artifact_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
)

func TestCheckPath(t *testing.T) {
	for _, good := range []string{"", "a", "a/b", "a/b/", "1/models/m-0/artifacts/MLmodel", "ünï/100% sure.txt", "ab:c", "..a/b..", "a%20b", "%zz", "%ff%fe",
		"dog%step%100%timestamp%1795657241421%d3644f1a-457a-40e0-98b7-42f3172067ba.png",
	} {
		require.NoError(t, artifact.CheckPath(good), good)
	}
	for _, bad := range []string{
		"..", ".", "../a", "a/..", "a/../b", "/a", "//a", "a//b", "./a", "a/./b", `a\b`, `..\a`, "C:/a", "c:a", "a\x00b", "a\nb", "a#b",
		"%2e%2e/a", "%252e%252e/a", "%2525252525252525252525252e/a", "a/%2e%2e/%2e%2e/b", "%2fa", "..%2f%zz", "%5ca", "a\xff", "a%00b", strings.Repeat("a/", 3000) + "a",
	} {
		require.Equal(t, apperror.Invalid, apperror.CodeOf(artifact.CheckPath(bad)), bad)
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{"a/b", "%2e%2e/x", "a/..%2f..", "%25252e%25252e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if artifact.CheckPath(p) != nil {
			return
		}
		for range 12 { // however often it is decoded, it stays below the root
			clean := path.Clean("/root/" + p)
			require.True(t, clean == "/root" || strings.HasPrefix(clean, "/root/"), p)
			next, err := artifact.Decode(p)
			require.NoError(t, err)
			p = next
		}
	})
}

func TestTidy(t *testing.T) {
	for p, want := range map[string]string{
		"": "", ".": "", "a/b": "a/b", "a/": "a/", "a/.": "a", "./a": "a", "a/./b": "a/b", "a//b": "a/b", "a///b//": "a/b/", "/a": "/a", "//a": "/a",
		"..": "..", "./../a": "../a", "a/./../b": "a/../b", "a/%2e/b": "a/%2e/b", ".a/b.": ".a/b.",
	} {
		require.Equal(t, want, artifact.Tidy(p), p)
	}
}
