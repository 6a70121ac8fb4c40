package dirstore_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/artifacttest"
	"tasador/pkg/artifact/dirstore"
)

func open(t *testing.T) (*dirstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "here")
	store, err := dirstore.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store, dir
}

func read(t *testing.T, store *dirstore.Store, path string) string {
	t.Helper()
	file, info, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.EqualValues(t, len(text), info.Size)
	return string(text)
}

func TestConformance(t *testing.T) {
	artifacttest.Run(t, func(t *testing.T) artifact.Store {
		store, _ := open(t)
		return store
	})
}

// TestBrokenUploadsLeaveNothing also where no client looks.
func TestBrokenUploadsLeaveNothing(t *testing.T) {
	store, dir := open(t)
	require.Error(t, store.Put(t.Context(), "b/new", iotest.ErrReader(errors.New("the connection broke"))))
	require.NoDirExists(t, filepath.Join(dir, "b"))
	uploads, err := os.ReadDir(filepath.Join(dir, ".uploads"))
	require.NoError(t, err)
	require.Empty(t, uploads)
}

func TestNothingLeavesTheFolder(t *testing.T) {
	store, dir := open(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	require.NoError(t, os.MkdirAll(outside, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "absolute")))
	require.NoError(t, os.Symlink("../outside", filepath.Join(dir, "relative")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "file")))
	ctx := t.Context()
	for _, path := range []string{"absolute/secret", "relative/secret", "file", "../outside/secret", "%2e%2e/outside/secret"} {
		_, _, err := store.Open(ctx, path)
		require.Error(t, err, path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", path, err)
	}
	for _, path := range []string{"absolute/new", "relative/new", "../outside/new", ".uploads/new", "", "a/"} {
		err := store.Put(ctx, path, strings.NewReader("x"))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", path, err)
	}
	for _, path := range []string{"absolute/secret", "relative/secret", "..", "", "../outside"} {
		require.Error(t, store.Delete(ctx, path), path)
	}
	list, err := store.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, list, "links that lead out are not shown")
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, store.Put(ctx, "file", strings.NewReader("ours")), "replacing a link replaces the link")
	require.Equal(t, "ours", read(t, store, "file"))
	text, err := os.ReadFile(filepath.Join(outside, "secret"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(text))
}

func TestFoldersAndFilesDoNotMix(t *testing.T) {
	store, _ := open(t)
	require.NoError(t, store.Put(t.Context(), "a/b", strings.NewReader("x")))
	for _, path := range []string{"a", "a/b/c"} {
		err := store.Put(t.Context(), path, strings.NewReader("y"))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", path, err)
	}
	_, _, err := store.Open(t.Context(), "a")
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	require.Equal(t, "x", read(t, store, "a/b"))
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := dirstore.Open(filepath.Join(file, "below"))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.ErrorContains(t, err, "cannot make the artifact folder")
}

func TestAFolderThatIsRemovedUnderUsIsNamed(t *testing.T) {
	store, dir := open(t)
	require.NoError(t, os.RemoveAll(dir))
	err := store.Put(t.Context(), "a/b", strings.NewReader("text"))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), dir+" was moved, replaced or deleted; put it back")
}

func TestAFolderThatWasMovedIsNotEmpty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "artifacts")
	s, err := dirstore.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Put(t.Context(), "a/b.txt", strings.NewReader("b")))
	require.NoError(t, os.Rename(dir, dir+"-moved"))
	_, err = s.List(t.Context(), "a")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), dir+" was moved, replaced or deleted")
	_, _, err = s.Open(t.Context(), "a/b.txt")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(s.Put(t.Context(), "c", strings.NewReader("c"))))
	require.NoError(t, os.Rename(dir+"-moved", dir))
	require.NoError(t, s.Ping(t.Context()))
}
