package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tasador/pkg/apperror"
	"tasador/pkg/listinggen"
)

// Source holds the commands about the data API.
type Source struct {
	Generate SourceGenerate `cmd:"" help:"Write generated listings as a CSV file."`
}

// SourceGenerate writes generated listings. The same seed gives the same file.
type SourceGenerate struct {
	Rows     int    `name:"rows" required:"" placeholder:"N" help:"How many listings."`
	Seed     uint64 `name:"seed" default:"1" placeholder:"S" help:"Seed: the same seed gives the same listings."`
	Out      string `name:"out" default:"-" placeholder:"FILE" help:"File to write; - is standard output."`
	Complete bool   `name:"complete" help:"Leave out the gaps and the values out of range that real listings have."`
}

// Run writes the file, or the listings to the standard output for -. A file that cannot be finished is not left behind, and one
// that was there before stays as it was.
func (g *SourceGenerate) Run(ctx context.Context, out IO) error {
	if g.Rows < 0 {
		return apperror.New(apperror.Invalid, "--rows=%d is negative; it counts listings", g.Rows)
	}
	bar := newBar(out.Err, int64(g.Rows), "generating")
	write := func(w io.Writer) error {
		err := listinggen.WriteCSV(ctx, w, listinggen.Options{Seed: g.Seed, Complete: g.Complete}, g.Rows, func(done int) {
			_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop
		})
		_ = bar.Exit()
		return err
	}
	if g.Out == "-" {
		return write(out.Out)
	}
	err := writeOut(g.Out, write)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return apperror.New(apperror.Invalid, "--out=%s cannot be written: %v; name a file in a folder that exists and may be written to", g.Out, rootCause(err))
	}
	_, err = fmt.Fprintf(out.Err, "wrote %d listings to %s\n", g.Rows, g.Out)
	return err
}

// writeOut puts what write writes in the place of a file, all or nothing. What is not a plain file, such as a pipe, is written to.
func writeOut(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(tmp), tmp.Close())
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644) //nolint:gosec // as a redirection would make it
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error is the one to tell
	}
	return err
}

// rootCause goes down to an error of the file system without its path, which the sentence around it names already.
func rootCause(err error) error {
	var pathError *os.PathError
	var linkError *os.LinkError
	switch {
	case errors.As(err, &pathError):
		return pathError.Err
	case errors.As(err, &linkError):
		return linkError.Err
	}
	return err
}
