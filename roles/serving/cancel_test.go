package serving

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/modeltest"
)

// TestAMillionRowsThatNobodyTakesLeaveNothing sends a million rows, takes none of the prices, and is gone in the middle: the file that the prices waited in, which
// has no name any more, is closed, and nothing goes on.
func TestAMillionRowsThatNobodyTakesLeaveNothing(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows := &repeated{text: ndjsonOf(t, modeltest.Listings(8, 1000)), n: 1000}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+"/predict/batch", rows)
	require.NoError(t, err)
	req.Header.Set("Content-Type", mimeNDJSON)
	transport := &http.Transport{}
	res, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return waiting(t) == 1 }, time.Minute, time.Millisecond, "the prices go to a file")
	cancel()
	require.NoError(t, res.Body.Close())
	transport.CloseIdleConnections()
	require.Eventually(t, func() bool { return waiting(t) == 0 }, time.Minute, 5*time.Millisecond)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, time.Minute, 5*time.Millisecond)
	left, err := filepath.Glob(filepath.Join(s.role.cfg.DataDir, filepath.FromSlash(batchFolder), "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// waiting counts the files of batches that this process has open.
func waiting(t *testing.T) (n int) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	require.NotEmpty(t, open)
	for _, fd := range open {
		target, err := os.Readlink(fd)
		if err == nil && strings.Contains(target, filepath.FromSlash(batchFolder)+"/batch-") {
			n++
		}
	}
	return n
}
