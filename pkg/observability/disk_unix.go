//go:build linux || darwin

package observability

import "syscall"

// diskSpace returns in bytes what an unprivileged user may still write below dir, and the size of the file system.
func diskSpace(dir string) (free, size float64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, 0, false
	}
	block := float64(fs.Bsize)
	return float64(fs.Bavail) * block, float64(fs.Blocks) * block, true
}
