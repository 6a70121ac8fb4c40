//go:build !linux && !darwin

package observability

// diskSpace is told on Linux and macOS only.
func diskSpace(string) (free, size float64, ok bool) { return 0, 0, false }
