//go:build unix

package audit

import (
	"os"
	"syscall"
)

// lock waits until no other process writes to the folder; the operating system lets go of it when the process ends.
func lock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }

func unlock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
