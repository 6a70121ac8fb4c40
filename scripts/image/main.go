// Command image makes an image of tasador for containers, for all platforms whose binaries there are, as one OCI archive. It needs neither a daemon nor a
// registry, and the same binaries give the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	add      string // ARCH=PATH
	binaries string
	archive  string
	version  string
	revision string
	created  int64
}

func main() {
	var o options
	flag.StringVar(&o.add, "add", "", "binary to put into the folder before, as ARCH=PATH, such as amd64=bin/tasador")
	flag.StringVar(&o.binaries, "binaries", "", "folder of the binaries, each as ARCH/tasador")
	flag.StringVar(&o.archive, "archive", "", "OCI archive to write")
	flag.StringVar(&o.version, "version", "", "version, which is also the tag")
	flag.StringVar(&o.revision, "revision", "", "commit")
	flag.Int64Var(&o.created, "created", 0, "time of the files and the image, in seconds since 1970")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run adds the binary that it is given and writes the archive of all there are. Builds for several platforms run at the same time, so one waits for the other.
func run(o options) error {
	if o.binaries == "" || o.archive == "" || o.version == "" {
		return errors.New("--binaries, --archive and --version say what to make")
	}
	if err := os.MkdirAll(o.binaries, 0o750); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(o.binaries, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // nothing is written to it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if arch, path, found := strings.Cut(o.add, "="); found {
		if err := copyFile(filepath.Join(o.binaries, arch, program), path); err != nil {
			return err
		}
	}
	found, err := filepath.Glob(filepath.Join(o.binaries, "*", program))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("no binary is in %s: %w", o.binaries, errors.Join(err, os.ErrNotExist))
	}
	slices.Sort(found)
	index, err := build(o, found, time.Unix(o.created, 0).UTC())
	if err != nil {
		return err
	}
	return writeArchive(index, o)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read from
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
