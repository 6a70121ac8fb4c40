// Command tasador collects real-estate listings, trains and tracks a price model and serves it: one binary, one role or all.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // schedules have time zones, and small images no database of them

	"tasador/pkg/cli"
	"tasador/pkg/observability"
	"tasador/roles"
)

func main() {
	os.Exit(run())
}

// sameSignal is how soon a second signal still means the first.
const sameSignal = 250 * time.Millisecond

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: the first one gives the default behaviour back. It does so after a moment, because
	// programs such as timeout send theirs to the process and to its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	app := cli.App{
		IO:       cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr},
		Build:    observability.ReadBuild(),
		RunRoles: roles.Run, HoldRoles: roles.Hold,
	}
	return app.Main(ctx, os.Args[1:])
}
