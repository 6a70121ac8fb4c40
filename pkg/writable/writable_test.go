package writable_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/writable"
)

func TestAFolderThatCanBeWrittenIsLeftAsItWas(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "probe"), []byte("left by a process that was killed"), 0o600))
	require.NoError(t, writable.TryDir(dir, "probe", "the folder"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestAFolderThatIsGoneIsNamed(t *testing.T) {
	err := writable.TryDir(filepath.Join(t.TempDir(), "gone"), "probe", "the folder x")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Equal(t, "the folder x is gone; put it back, then restart this process", apperror.MessageOf(err))
}

func TestAProbeTriesOnceHoweverOftenItIsAsked(t *testing.T) {
	var tries atomic.Int64
	refused := apperror.New(apperror.Unavailable, "no room")
	p := writable.NewProbe("it", func() error {
		tries.Add(1)
		return refused
	})
	for range 100 {
		require.Equal(t, refused, p.Check(t.Context()))
	}
	require.EqualValues(t, 1, tries.Load())
}

func TestADiskThatHangsIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	var tries atomic.Int64
	p := writable.NewProbe("the database x", func() error {
		tries.Add(1)
		<-release
		return nil
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		require.Equal(t, "the database x does not answer; check its disk", apperror.MessageOf(p.Check(gone)))
	}
	close(release)
	require.NoError(t, p.Check(t.Context()))
	require.EqualValues(t, 1, tries.Load(), "nothing piles up on it")
}
