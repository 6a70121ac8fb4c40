package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/redact"
	"tasador/pkg/sqlstore"
)

// HoldRoles keeps the named roles from starting on the data folder and databases of cfg until release is called. Codes: FailedPrecondition if one of
// them runs. It lives above this package.
type HoldRoles func(ctx context.Context, cfg *config.Config, roles []string) (release func() error, err error)

// Migrate shows and changes the versions of schemas. Roles bring theirs up to date when they start; going down is for who installs an older tasador.
type Migrate struct {
	Status migrateStatus `cmd:"" help:"Show the schema versions of the databases, and the newest that this tasador knows."`
	Up     migrateUp     `cmd:"" help:"Bring a schema up, as the role does when it starts."`
	Down   migrateDown   `cmd:"" help:"Take a schema back, before an older tasador is installed. What later versions added is lost."`
}

// schema is a store that has versions: as the settings call it, its folder of migrations, and the roles that bring it up to date.
type schema struct {
	name, folder string
	roles        []string
}

func schemas() []schema {
	pipeline := []string{config.RolePipeline}
	return []schema{
		{"pipeline", "dagrun", pipeline}, {"rawdata", "dataset", pipeline}, {"cleandata", "cleandata", pipeline},
		{"tracking", "tracking", []string{config.RoleTracking}}, {"predictions", "prediction", []string{config.RoleServing}},
		{"auth", "auth", config.RoleNames()},
	}
}

// migrateFlags are the settings that say where the databases are.
type migrateFlags struct {
	config.Config
	File  kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
	Store string          `name:"store" enum:"pipeline,tracking,rawdata,cleandata,predictions,auth" required:"" placeholder:"STORE" help:"Store: pipeline, tracking, rawdata, cleandata, predictions or auth."`
}

func urlOf(cfg *config.Config, store string) string {
	switch store {
	case "pipeline":
		return cfg.Pipeline.DB
	case "tracking":
		return cfg.Tracking.DB
	case "rawdata":
		return cfg.RawData.URL
	case "cleandata":
		return cfg.CleanData.URL
	case "auth":
		return cfg.Auth.URL
	default:
		return cfg.Predictions.URL
	}
}

// fill puts in the defaults that hold for the roles that these settings start.
func fill(cfg *config.Config) error {
	roles, err := cfg.Roles()
	if err != nil {
		return err
	}
	cfg.SetDefaults(roles)
	return nil
}

// isMissing reports whether a database is a file that nobody has made yet. Looking at it would make it.
func isMissing(url string) bool {
	if sqlstore.IsServer(url) {
		return false
	}
	_, err := os.Stat(sqlstore.FilePath(url))
	return errors.Is(err, os.ErrNotExist)
}

// withSchema runs fn on the schema of a store.
func withSchema(ctx context.Context, url, folder string, fn func(*sqlstore.Schema) error) error {
	at, err := sqlstore.OpenSchema(ctx, url, folder, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(fn(at), at.Close())
}

type migrateStatus struct {
	config.Config
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// Run prints a line for each store. It fails if one cannot be used by this tasador.
func (m *migrateStatus) Run(ctx context.Context, io IO) error {
	if err := fill(&m.Config); err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "STORE\tHAS\tKNOWN\tDATABASE") // Flush reports what fails
	var unusable error
	for _, s := range schemas() {
		url := urlOf(&m.Config, s.name)
		has, known := "-", "-"
		if !isMissing(url) {
			err := withSchema(ctx, url, s.folder, func(at *sqlstore.Schema) error {
				v, err := at.Versions(ctx)
				if v.Known > 0 {
					has, known = fmt.Sprint(v.Have), fmt.Sprint(v.Known)
				}
				return err
			})
			unusable = errors.Join(unusable, err)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.name, has, known, redact.URL(url))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return unusable
}

// change runs fn on the schema of the store while no role uses it.
func (f *migrateFlags) change(ctx context.Context, hold HoldRoles, fn func(*sqlstore.Schema) error) (err error) {
	if err := fill(&f.Config); err != nil {
		return err
	}
	all := schemas()
	s := all[slices.IndexFunc(all, func(s schema) bool { return s.name == f.Store })]
	release, err := hold(ctx, &f.Config, s.roles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	return withSchema(ctx, urlOf(&f.Config, f.Store), s.folder, fn)
}

type migrateUp struct {
	migrateFlags
	To int64 `name:"to" placeholder:"N" help:"Version to stop at. Default: the newest."`
}

// Run brings a schema up and prints its version.
func (m *migrateUp) Run(ctx context.Context, io IO, hold HoldRoles) error {
	return m.change(ctx, hold, func(at *sqlstore.Schema) error {
		before, err := at.Versions(ctx)
		if err != nil {
			return err
		}
		to := m.To
		if to == 0 {
			to = before.Known
		}
		if to < before.Have || to > before.Known {
			return apperror.New(apperror.Invalid, "--to=%d is not ahead: the %s schema has version %d, and this tasador knows versions up to %d",
				to, m.Store, before.Have, before.Known)
		}
		if err := at.Up(ctx, to); err != nil {
			return err
		}
		return printVersion(ctx, io, at, m.Store, before)
	})
}

type migrateDown struct {
	migrateFlags
	To  int64 `name:"to" required:"" placeholder:"N" help:"Version to go back to; 0 takes everything away."`
	Yes bool  `name:"yes" help:"Do it. Without it, what would be lost is only shown."`
}

// Run shows what going back takes away, and does it if it was told to.
func (m *migrateDown) Run(ctx context.Context, io IO, hold HoldRoles) error {
	if err := fill(&m.Config); err != nil {
		return err
	}
	if url := urlOf(&m.Config, m.Store); isMissing(url) {
		return apperror.New(apperror.NotFound, "there is no database %s; name the settings that the role runs with", url)
	}
	return m.change(ctx, hold, func(at *sqlstore.Schema) error {
		before, err := at.Versions(ctx)
		if err != nil {
			return err
		}
		if m.To < 0 || m.To > before.Have {
			return apperror.New(apperror.Invalid, "--to=%d is not behind: the %s schema has version %d", m.To, m.Store, before.Have)
		}
		steps, err := at.DownSteps(ctx, m.To)
		if err != nil {
			return err
		}
		if err := printSteps(io, steps); err != nil {
			return err
		}
		if !m.Yes && len(steps) > 0 {
			return apperror.New(apperror.FailedPrecondition, "nothing was done; back the database up, then say --yes")
		}
		if err := at.Down(ctx, m.To); err != nil {
			return err
		}
		return printVersion(ctx, io, at, m.Store, before)
	})
}

func printSteps(io IO, steps []sqlstore.DownStep) error {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "version %d: %s", s.Version, s.Statement)
		if s.Rows >= 0 {
			fmt.Fprintf(&b, "  -- rows that are lost: %d", s.Rows)
		}
		b.WriteByte('\n')
	}
	_, err := fmt.Fprint(io.Out, b.String())
	return err
}

func printVersion(ctx context.Context, io IO, at *sqlstore.Schema, store string, before sqlstore.Versions) error {
	after, err := at.Versions(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.Out, "%s: schema version %d → %d of %d\n", store, before.Have, after.Have, after.Known)
	return err
}
