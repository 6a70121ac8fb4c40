package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/alecthomas/kong"

	"tasador/pkg/config"
	"tasador/pkg/observability"
)

// RunRoles runs the named roles until ctx ends. It fills cfg with the addresses and defaults in force and calls ready once all
// roles are ready.
type RunRoles func(ctx context.Context, cfg *config.Config, roles []string, log *slog.Logger, ready func()) error

// runCommand runs roles.
type runCommand struct {
	config.Config
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// Run checks the settings and runs the roles.
func (r *runCommand) Run(ctx context.Context, kctx *kong.Context, run RunRoles, io IO) error {
	roles, err := r.Roles()
	if err != nil {
		return err
	}
	if err := config.CheckFlags(kctx, roles); err != nil {
		return err
	}
	if err := r.Validate(roles); err != nil {
		return err
	}
	log, err := observability.NewLogger(io.Err, r.Log.Format, r.Log.Level)
	if err != nil {
		return err
	}
	supervisor := supervise(ctx, &r.Config, roles, log)
	err = run(ctx, &r.Config, roles, log, func() {
		r.printAddresses(roles, io)
		supervisor.ready()
	})
	supervisor.end()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it started, as it was asked to
	}
	return err
}

// printAddresses says where each role is, which matters most where ports were chosen freely.
func (r *runCommand) printAddresses(roles []string, io IO) {
	for _, role := range roles {
		_, _ = fmt.Fprintf(io.Out, "%-9s %s\n", role, r.Address(role)) // a closed output is no reason to stop
	}
}

// configCommand shows the settings.
type configCommand struct {
	Print     configPrint     `cmd:"" help:"Print every key with its value in force, as a configuration file would have it; passwords are masked."`
	Reference configReference `cmd:"" help:"Print the reference of all settings as Markdown."`
}

// configReference writes docs/settings.md.
type configReference struct{}

// Run prints the reference of the flags of run, which are all settings.
func (configReference) Run(kctx *kong.Context, io IO) error {
	return config.WriteReference(io.Out, child(kctx.Model.Node, "run").Flags)
}

type configPrint struct {
	config.Config
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// Run prints the settings that roles would run with.
func (p *configPrint) Run(io IO) error {
	roles, err := p.Roles()
	if err != nil {
		return err
	}
	if err := p.Validate(roles); err != nil {
		return err
	}
	p.SetDefaults(roles)
	return p.Print(io.Out)
}

// versionCmd shows the version.
type versionCmd struct{}

// Run prints what the binary knows of its build, as JSON.
func (versionCmd) Run(b observability.Build, io IO) error {
	enc := json.NewEncoder(io.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(b)
}
