package cli

import (
	"context"

	"tasador/pkg/demo"
)

// Demo runs every path of the DAG once.
type Demo struct {
	CSV string `name:"csv" placeholder:"FILE" help:"CSV file of listings to use instead of generated ones; the gate is set as the file needs it."`
	Dir string `name:"dir" placeholder:"DIR" help:"Fresh folder that everything stays in. Default: a temporary one, removed at the end."`
}

// Run shows progress on the error output and the result on the output.
func (d *Demo) Run(ctx context.Context, run RunRoles, io IO) error {
	return demo.Run(ctx, demo.Options{CSV: d.CSV, Dir: d.Dir, RunRoles: demo.RunRoles(run), Out: io.Out, Err: io.Err})
}
