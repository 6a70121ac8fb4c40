package serving

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// give takes all that an outlet has and returns how much that was.
func give(t *testing.T, o *outlet) (n int) {
	t.Helper()
	for {
		piece, err := o.next(nil)
		if errors.Is(err, io.EOF) {
			return n
		}
		require.NoError(t, err)
		n += len(piece)
	}
}

func TestBatchesShareTheDiskThatTheirAnswersMayTake(t *testing.T) {
	all := newSpill(2 * outletMemory)
	first, second := newOutlet(t.TempDir(), all), newOutlet(t.TempDir(), all)
	part := make([]byte, outletMemory)
	for range 3 { // the first part stays in memory
		_, err := first.Write(part)
		require.NoError(t, err)
	}
	require.EqualValues(t, 2*outletMemory, all.used)

	written := make(chan error, 1)
	go func() {
		for range 3 {
			if _, err := second.Write(part); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	first.finish()
	require.Equal(t, 3*outletMemory, give(t, first))
	require.NoError(t, <-written, "there is room again")
	second.finish()
	require.Equal(t, 3*outletMemory, give(t, second))
	require.NoError(t, first.close())
	require.NoError(t, second.close())
	require.Zero(t, all.used)
	require.Empty(t, all.waiting)
}

func TestABatchThatEndsGivesItsDiskBack(t *testing.T) {
	all := newSpill(outletMemory)
	gone, next := newOutlet(t.TempDir(), all), newOutlet(t.TempDir(), all)
	for range 2 {
		_, err := gone.Write(make([]byte, outletMemory))
		require.NoError(t, err)
	}
	require.True(t, all.full(next))
	gone.fail(io.ErrClosedPipe)
	require.NoError(t, gone.close())
	require.False(t, all.full(next))
}
