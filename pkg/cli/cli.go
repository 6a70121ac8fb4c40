// Package cli is the command line of tasador: one kong command for each thing that a user does.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/observability"
)

// App is the program: what main gives to its command line.
type App struct {
	IO    IO
	Build observability.Build
	// RunRoles runs roles until ctx ends; it lives above this package.
	RunRoles RunRoles
	// HoldRoles keeps roles from running; it lives above this package.
	HoldRoles HoldRoles
}

// commands is the tree of commands. The first runs when no command is named.
type commands struct {
	Run          runCommand    `cmd:"" default:"withargs" help:"Run roles; this is what happens without a command."`
	Dags         Dags          `cmd:"" help:"Trigger, watch and pause DAGs."`
	Status       Status        `cmd:"" help:"Ask the roles whether they are ready, and what is missing."`
	Train        Train         `cmd:"" help:"Train on a CSV file, without any server."`
	Import       Import        `cmd:"" help:"Load a file of listings into RawData; an import that was cut off goes on where it was."`
	ImportMLflow ImportMLflow  `cmd:"" name:"import-mlflow" help:"Copy what an MLflow server has into tracking; an import that was cut off goes on where it was."`
	GC           GC            `cmd:"" name:"gc" help:"Remove for good what was deleted in tracking, with its files. Without --yes it only says what would go."`
	Source       Source        `cmd:"" help:"Generate listings."`
	Demo         Demo          `cmd:"" help:"Run every path of the DAG once in a fresh folder, and show what happened."`
	LoadTest     LoadTest      `cmd:"" name:"loadtest" help:"Send predictions to the prediction server at a steady rate and report how fast it answers."`
	User         userCommand   `cmd:"" help:"Add, change and remove the users that may log in; also while servers run."`
	Token        tokenCommand  `cmd:"" help:"Make and revoke API tokens; also while servers run."`
	Audit        Audit         `cmd:"" help:"Show who changed what."`
	Migrate      Migrate       `cmd:"" help:"Show and change the versions of the schemas of the databases."`
	Backup       Backup        `cmd:"" help:"Copy the data folder to another folder or to S3 while the roles run, and look after the copies."`
	Restore      Restore       `cmd:"" help:"Make a data folder of a backup."`
	Config       configCommand `cmd:"" help:"Show the settings."`
	Version      versionCmd    `cmd:"" help:"Show the version."`
}

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells say it of SIGINT
)

// usageError is an error of what was asked for, that the command found before it did anything.
type usageError struct{ error }

// Unwrap gives the error that says what is wrong.
func (u usageError) Unwrap() error { return u.error }

var errInterrupted = errors.New("interrupted")

// Main runs the command that args name and returns the exit code. An error is one sentence on the error output.
func (a App) Main(ctx context.Context, args []string) int {
	var tree commands
	exited := -1
	parser, err := kong.New(&tree,
		kong.Name("tasador"),
		kong.Description("tasador collects real-estate listings, trains and tracks a price model, and serves it. The flags of run, such as --role, need no command: tasador run --help lists them."),
		config.Vars(),
		config.Environment(),
		kong.Configuration(config.LoadFile),
		kong.Writers(a.IO.Out, a.IO.Err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a.IO, a.Build, a.RunRoles, a.HoldRoles),
	)
	if err != nil {
		return a.fail(err, exitFailed)
	}
	if err := config.CheckEnv(parser.Model, os.Environ()); err != nil {
		return a.fail(err, exitUsage)
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		return a.fail(explain(err), exitUsage)
	}
	err = kctx.Run(kctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return a.fail(err, exitUsage)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return a.fail(errInterrupted, exitInterrupted)
	default:
		return a.fail(err, exitFailed)
	}
}

const helpWidth = 120

func (a App) fail(err error, code int) int {
	_, _ = fmt.Fprintln(a.IO.Err, "tasador:", sentence(err)) // nowhere else to say it
	return code
}

// sentence is what a person is told, in one line: for coded errors their message with its causes, which on one's own command line
// are no secret.
func sentence(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// explain adds what to do to kong's own parse errors.
func explain(err error) error {
	if apperror.CodeOf(err) == apperror.Invalid {
		return err
	}
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	message := parse.Error()
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return apperror.New(apperror.Invalid, "the configuration file %s cannot be read: %v; check the path after --config", file.Path, file.Err)
	case strings.HasPrefix(message, "unknown flag"):
		return apperror.New(apperror.Invalid, "%s; the flags here are %s", message, strings.Join(flagNames(parse.Context), ", "))
	case strings.HasPrefix(message, "unexpected argument"):
		return apperror.New(apperror.Invalid, "%s; the commands are %s", message, strings.Join(commandNames(parse.Context), ", "))
	}
	command := strings.TrimSpace("tasador " + parse.Context.Command())
	return apperror.New(apperror.Invalid, "%s; see %s --help", message, command)
}

// flagNames lists the flags of the command that was named, or of run if none was.
func flagNames(ctx *kong.Context) []string {
	node := ctx.Selected()
	if node == nil {
		node = child(ctx.Model.Node, "run")
	}
	var names []string
	for _, f := range node.Flags {
		names = append(names, "--"+f.Name)
	}
	return names
}

func commandNames(ctx *kong.Context) []string {
	var names []string
	for _, c := range ctx.Model.Children {
		names = append(names, c.Name)
	}
	return names
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return node
}
