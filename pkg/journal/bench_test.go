package journal_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkAppend times entries of the size of a prediction, by one caller and by many at the same time.
func BenchmarkAppend(b *testing.B) {
	payload := make([]byte, 250)
	b.Run("one", func(b *testing.B) {
		j, _ := open(b, b.TempDir(), 0)
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, j.Append(at, payload))
		}
		require.NoError(b, j.Close())
	})
	b.Run("32", func(b *testing.B) {
		j, _ := open(b, b.TempDir(), 0)
		b.ReportAllocs()
		b.ResetTimer()
		var wg sync.WaitGroup
		for line := range 32 {
			wg.Go(func() {
				for i := line; i < b.N; i += 32 {
					if err := j.Append(at, payload); err != nil {
						panic(err)
					}
				}
			})
		}
		wg.Wait()
		require.NoError(b, j.Close())
	})
}
