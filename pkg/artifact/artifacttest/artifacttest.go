// Package artifacttest is what every artifact.Store has to do, as a test. Only tests import it.
package artifacttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
)

// Run holds an empty store to the contract. It leaves files behind.
func Run(t *testing.T, open func(t *testing.T) artifact.Store) {
	for name, test := range map[string]func(t *testing.T, s artifact.Store){
		"Files": files, "ManyFiles": manyFiles, "LargeFiles": largeFiles, "WholeOrNotAtAll": wholeOrNotAtAll, "Ranges": ranges, "Paths": paths,
		"Names": names,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func put(t *testing.T, s artifact.Store, path, content string) {
	t.Helper()
	require.NoError(t, s.Put(t.Context(), path, strings.NewReader(content)), path)
}

func read(t *testing.T, s artifact.Store, path string) string {
	t.Helper()
	file, info, err := s.Open(t.Context(), path)
	require.NoError(t, err, path)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.EqualValues(t, len(text), info.Size)
	require.Equal(t, path, info.Path)
	require.Regexp(t, `^".+"$`, info.ETag)
	return string(text)
}

func list(t *testing.T, s artifact.Store, path string) []artifact.Info {
	t.Helper()
	found, err := s.List(t.Context(), path)
	require.NoError(t, err, path)
	return found
}

func requireMissing(t *testing.T, s artifact.Store, path string) {
	t.Helper()
	_, _, err := s.Open(t.Context(), path)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%s: %v", path, err)
	require.Equal(t, "No such artifact: "+path, apperror.MessageOf(err))
}

func files(t *testing.T, s artifact.Store) {
	require.Empty(t, list(t, s, ""))
	put(t, s, "1/run/artifacts/b.txt", "first")
	put(t, s, "1/run/artifacts/b.txt", "second")
	put(t, s, "1/run/artifacts/deep/a", "")
	put(t, s, "1/run/artifacts-too", "beside")
	require.Equal(t, "second", read(t, s, "1/run/artifacts/b.txt"))
	require.Empty(t, read(t, s, "1/run/artifacts/deep/a"))
	want := []artifact.Info{{Path: "1/run/artifacts/b.txt", Size: 6}, {Path: "1/run/artifacts/deep", IsDir: true}}
	require.Equal(t, want, list(t, s, "1/run/artifacts"))
	require.Equal(t, want, list(t, s, "1/run/artifacts/"))
	require.Equal(t, []artifact.Info{{Path: "1", IsDir: true}}, list(t, s, ""))
	for _, empty := range []string{"none", "1/ru", "1/run/artifacts/b.txt", "1/run/artifacts/b.txt/x"} {
		require.Empty(t, list(t, s, empty), empty)
	}
	_, _, err := s.Open(t.Context(), "1/run")
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	require.EqualError(t, err, "Artifact path refers to a directory, not a file: '1/run'")

	require.NoError(t, s.Delete(t.Context(), "1/run/artifacts"))
	require.NoError(t, s.Delete(t.Context(), "1/run/artifacts"), "again")
	require.NoError(t, s.Delete(t.Context(), "none/at/all"))
	requireMissing(t, s, "1/run/artifacts/b.txt")
	requireMissing(t, s, "1/run/artifacts/deep/a")
	require.Equal(t, "beside", read(t, s, "1/run/artifacts-too"), "its name only begins like the folder")
	require.NoError(t, s.Delete(t.Context(), "1/run/artifacts-too"))
	requireMissing(t, s, "1/run/artifacts-too")
}

// manyFiles are more than S3 lists and deletes with one call.
func manyFiles(t *testing.T, s artifact.Store) {
	const n = 1020
	for i := range n {
		put(t, s, fmt.Sprintf("many/%04d", i), "x")
	}
	found := list(t, s, "many")
	require.Len(t, found, n)
	for i, f := range found {
		require.Equal(t, artifact.Info{Path: fmt.Sprintf("many/%04d", i), Size: 1}, f)
	}
	require.NoError(t, s.Delete(t.Context(), "many"))
	require.Empty(t, list(t, s, "many"))
	require.Empty(t, list(t, s, ""))
}

// noise is content that no two places of it are alike.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func largeFiles(t *testing.T, s artifact.Store) {
	for _, size := range []int{8<<20 - 1, 8 << 20, 8<<20 + 1, 24 << 20, 27 << 20} { // around the parts that uploads to S3 have
		content := noise(size)
		require.NoError(t, s.Put(t.Context(), "large", onlyReader{bytes.NewReader(content)}))
		require.True(t, read(t, s, "large") == string(content), size) //nolint:testifylint // would print them
	}
}

// onlyReader hides what else a reader can do: a network connection can neither.
type onlyReader struct{ io.Reader }

func wholeOrNotAtAll(t *testing.T, s artifact.Store) {
	put(t, s, "a/file", "old")
	broke := errors.New("the connection broke")
	for _, before := range []int{4, 20 << 20} {
		broken := func() io.Reader { return io.MultiReader(bytes.NewReader(noise(before)), iotest.ErrReader(broke)) }
		require.ErrorIs(t, s.Put(t.Context(), "a/file", broken()), broke)
		require.Equal(t, "old", read(t, s, "a/file"))
		require.ErrorIs(t, s.Put(t.Context(), "b/new", broken()), broke)
		requireMissing(t, s, "b/new")
		require.Empty(t, list(t, s, "b"))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Put(ended, "a/file", strings.NewReader("late")), context.Canceled)
	require.Equal(t, "old", read(t, s, "a/file"))
	require.Len(t, list(t, s, ""), 1)
}

func ranges(t *testing.T, s artifact.Store) {
	content := noise(3 << 20)
	require.NoError(t, s.Put(t.Context(), "f", bytes.NewReader(content)))
	file, _, err := s.Open(t.Context(), "f")
	require.NoError(t, err)
	for _, at := range []int64{1 << 20, 5, 3<<20 - 10, 0} {
		got, err := file.Seek(at, io.SeekStart)
		require.NoError(t, err)
		require.Equal(t, at, got)
		part := make([]byte, 10)
		_, err = io.ReadFull(file, part)
		require.NoError(t, err)
		require.Equal(t, content[at:at+10], part)
	}
	size, err := file.Seek(0, io.SeekEnd)
	require.NoError(t, err)
	require.EqualValues(t, len(content), size)
	_, err = file.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = file.Seek(-1, io.SeekStart)
	require.Error(t, err)
	require.NoError(t, file.Close())
}

// paths that leave the root are refused by every call.
func paths(t *testing.T, s artifact.Store) {
	for _, path := range []string{
		"..", "../x", "a/../../x", "/etc/passwd", `a\b`, "C:/x", "a\x00b", "a\nb", "a#b", "a//b", "./a", "%2e%2e/x", "%252e%252e%252fx", "a\xff", strings.Repeat("n/", 3000) + "x",
	} {
		_, _, err := s.Open(t.Context(), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", path, err)
		err = s.Put(t.Context(), path, strings.NewReader("x"))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", path, err)
		_, err = s.List(t.Context(), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", path, err)
		err = s.Delete(t.Context(), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", path, err)
	}
	for _, path := range []string{"", "a/"} {
		err := s.Put(t.Context(), path, strings.NewReader("x"))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", path, err)
	}
	require.Equal(t, apperror.Invalid, apperror.CodeOf(s.Delete(t.Context(), "")), "the root stays")
	require.Empty(t, list(t, s, ""))
}

// names that need care on the way are kept as they are.
func names(t *testing.T, s artifact.Store) {
	all := []string{"a b", "a+b", "a%20b", "a%b", "a&b=c", "a?b", "ñ ü", "..a", "x..", "a:b", "~", "'\"", "*", "<x>", "日本"}
	for _, name := range all {
		put(t, s, "d/"+name, name)
	}
	require.Len(t, list(t, s, "d"), len(all))
	for _, name := range all {
		require.Equal(t, name, read(t, s, "d/"+name))
		require.NoError(t, s.Delete(t.Context(), "d/"+name))
		requireMissing(t, s, "d/"+name)
	}
	require.Empty(t, list(t, s, "d"))
}
