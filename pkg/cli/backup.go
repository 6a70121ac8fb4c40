package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/backup"
	"tasador/pkg/config"
	"tasador/pkg/observability"
)

// Backup copies the data folder and looks after the copies.
type Backup struct {
	Make   backupMake   `cmd:"" default:"withargs" help:"Make a backup; this is what happens without a command."`
	List   backupList   `cmd:"" help:"List the backups."`
	Verify backupVerify `cmd:"" help:"Read a whole backup, and check that it is as it was written."`
}

type backupMake struct {
	To   string          `name:"to" required:"" placeholder:"PLACE" help:"Where the backups of this data folder are: a folder, or s3://bucket/prefix."`
	Keep int             `name:"keep" default:"0" placeholder:"N" help:"How many backups stay, with the new one; older ones are removed. 0 keeps all."`
	Rate float64         `name:"rate" default:"50" placeholder:"MB" help:"Most megabytes that are copied in a second, so that the roles keep the disk. 0 means any number."`
	Full bool            `name:"full" help:"Copy also what an earlier backup has, as after a check that failed."`
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
	config.Config
}

const megabyte = 1e6

// Run makes a backup, beside roles that may run on the data folder with the same settings.
func (b *backupMake) Run(ctx context.Context, io IO, build observability.Build) (err error) {
	if b.Keep < 0 || !(b.Rate >= 0) {
		return usageError{apperror.New(apperror.Invalid, "--keep and --rate must not be negative")}
	}
	if err := fill(&b.Config); err != nil {
		return err
	}
	target, err := backup.MakeTarget(ctx, b.To, b.Artifacts.Endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	target.Limit(int64(b.Rate * megabyte))
	meter := newBackupMeter(io.Err, "copying")
	m, err := target.Create(ctx, backup.Options{Config: &b.Config, Tasador: build.Version, Keep: b.Keep, Full: b.Full, Progress: meter.tell})
	meter.end()
	if m != nil {
		_, _ = fmt.Fprintf(io.Out, "backup %s in %s: %d files of %.1f MB, of which %.1f MB were copied, in %.1f seconds\n",
			m.ID, b.To, m.Files, float64(m.Bytes)/megabyte, float64(m.Copied)/megabyte, meter.elapsed().Seconds()) // the exit code tells
		printElsewhere(io.Out, m)
	}
	return err
}

// printElsewhere says what a backup does not have.
func printElsewhere(w io.Writer, m *backup.Manifest) {
	for _, what := range m.Elsewhere {
		_, _ = fmt.Fprintln(w, "not in the backup:", what) // what matters was said before
	}
}

// backupFrom says where backups are.
type backupFrom struct {
	From string          `name:"from" required:"" placeholder:"PLACE" help:"Where the backups are: a folder, or s3://bucket/prefix."`
	S3   config.S3       `embed:"" prefix:"artifacts."`
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// with opens the target for fn.
func (b *backupFrom) with(ctx context.Context, fn func(*backup.Target) error) error {
	target, err := backup.OpenTarget(ctx, b.From, b.S3.Endpoint)
	if err != nil {
		return err
	}
	return errors.Join(fn(target), target.Close())
}

// backupAt is a backup of those.
type backupAt struct {
	backupFrom
	At string `name:"at" placeholder:"TIME" help:"Take the newest backup of this time or before, as 2026-01-31T12:00:00Z, or the one with this id. Default: the newest."`
}

// withBackup opens the target and finds the backup for fn.
func (b *backupAt) withBackup(ctx context.Context, fn func(*backup.Target, *backup.Manifest) error) error {
	var at time.Time
	if b.At != "" {
		var err error
		if at, err = backup.ParseTime(b.At); err != nil {
			return usageError{err}
		}
	}
	return b.with(ctx, func(target *backup.Target) error {
		m, err := target.Choose(ctx, at)
		if err != nil {
			return err
		}
		return fn(target, m)
	})
}

type backupList struct {
	backupFrom
	MaxAge age `name:"max-age" default:"0s" placeholder:"AGE" help:"Fail if the newest backup is older, such as 26h or 2d; 0s means never."`
}

// Run prints a line for each backup. It fails if the newest is damaged, or older than it may be.
func (b *backupList) Run(ctx context.Context, io IO) error {
	return b.with(ctx, func(target *backup.Target) error {
		entries, err := target.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ID\tFILES\tMB\tCOPIED\tTASADOR") // Flush tells
		for _, e := range entries {
			if m := e.Manifest; m != nil {
				_, _ = fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%s\n", e.ID, m.Files, float64(m.Bytes)/megabyte, float64(m.Copied)/megabyte, m.Tasador)
			} else {
				_, _ = fmt.Fprintf(w, "%s\tcannot be used: %s\n", e.ID, sentence(e.Err))
			}
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		return b.judge(entries)
	})
}

func (b *backupList) judge(entries []backup.Entry) error {
	if len(entries) == 0 {
		return apperror.New(apperror.NotFound, "there is no backup in %s", b.From)
	}
	newest := entries[len(entries)-1]
	if newest.Err != nil {
		return newest.Err
	}
	if old := time.Since(newest.Manifest.Begun); b.MaxAge > 0 && old > time.Duration(b.MaxAge) {
		return apperror.New(apperror.FailedPrecondition, "the newest backup in %s is %s old, older than --max-age=%s", b.From, old.Round(time.Second), time.Duration(b.MaxAge))
	}
	return nil
}

type backupVerify struct{ backupAt }

// Run reads a backup.
func (b *backupVerify) Run(ctx context.Context, io IO) error {
	return b.withBackup(ctx, func(target *backup.Target, m *backup.Manifest) error {
		meter := newBackupMeter(io.Err, "reading")
		err := target.Verify(ctx, m, meter.tell)
		meter.end()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.Out, "backup %s is whole: %d files of %.1f MB are as they were written\n", m.ID, m.Files, float64(m.Bytes)/megabyte)
		return err
	})
}

// Restore makes a data folder of a backup.
type Restore struct {
	backupAt
	DataDir string `name:"data-dir" required:"" type:"path" placeholder:"DIR" help:"New data folder, which must be empty or missing."`
}

// Run restores, while no role can start on the folder.
func (r *Restore) Run(ctx context.Context, io IO, hold HoldRoles) error {
	return r.withBackup(ctx, func(target *backup.Target, m *backup.Manifest) (err error) {
		cfg := &config.Config{DataDir: r.DataDir}
		cfg.SetDefaults(config.RoleNames())
		if err := backup.CheckEmpty(r.DataDir); err != nil {
			return r.refuse(ctx, hold, cfg, err)
		}
		release, err := hold(ctx, cfg, config.RoleNames())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
		meter := newBackupMeter(io.Err, "restoring")
		err = target.Restore(ctx, m, r.DataDir, meter.tell)
		meter.end()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.Out, "backup %s is in %s: %d files of %.1f MB; start the roles with --data-dir=%s\n", m.ID, r.DataDir, m.Files, float64(m.Bytes)/megabyte, r.DataDir)
		printElsewhere(io.Out, m)
		return err
	})
}

// refuse says why a folder is not restored into: if roles run on it, that is what has to be known.
func (r *Restore) refuse(ctx context.Context, hold HoldRoles, cfg *config.Config, why error) error {
	for _, role := range config.RoleNames() {
		if _, err := os.Stat(filepath.Join(r.DataDir, role+".lock")); err != nil {
			continue
		}
		release, err := hold(ctx, cfg, []string{role})
		if err != nil {
			return err
		}
		why = errors.Join(why, release())
	}
	return why
}

// backupMeter shows how far a backup or a restore is.
type backupMeter struct {
	display
	mu sync.Mutex // several files may be under way
}

func newBackupMeter(w io.Writer, verb string) *backupMeter {
	return &backupMeter{display: newDisplay(w, verb)}
}

func (m *backupMeter) tell(p backup.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := fmt.Sprintf("%.1f of %.1f MB", float64(p.Bytes)/megabyte, float64(p.Total)/megabyte)
	if m.terminal {
		m.draw(p.Bytes, p.Total, text)
		return
	}
	m.say(m.verb + " " + text + "\n")
}
