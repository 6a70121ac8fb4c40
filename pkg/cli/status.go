package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/outgoing"
)

// statusLimit is how long a server may take to say whether it is ready; its own probes take less.
const statusLimit = 5 * time.Second

// Status asks the roles whether they are ready.
type Status struct {
	PipelineURI string `name:"pipeline-uri" default:"http://127.0.0.1:8080" env:"TASADOR_PIPELINE_URI" placeholder:"URL" help:"Address of the pipeline server; - leaves it out."`
	TrackingURI string `name:"tracking-uri" default:"http://127.0.0.1:5000" env:"TASADOR_TRACKING_URI" placeholder:"URL" help:"Address of the tracking server; - leaves it out."`
	ServingURI  string `name:"serving-uri" default:"http://127.0.0.1:8000" env:"TASADOR_SERVING_URI" placeholder:"URL" help:"Address of the prediction server; - leaves it out."`
	connectionFlags
}

// roleStatus is what one server says of itself.
type roleStatus struct {
	role, address string
	ready         bool
	parts         map[string]string // part → ok, or why it is not ready
}

// Run prints a line for each part of each role. It fails if something is not ready, so that scripts can ask.
func (s *Status) Run(ctx context.Context, out IO) error {
	how, err := s.outgoing()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROLE\tADDRESS\tSTATUS\tPART\tSAYS") // Flush reports what fails
	var late []string
	for _, at := range []struct{ role, address string }{{"pipeline", s.PipelineURI}, {"tracking", s.TrackingURI}, {"serving", s.ServingURI}} {
		if at.address == "-" {
			continue
		}
		status := askReady(ctx, how, at.role, strings.TrimSuffix(at.address, "/"))
		if !status.ready {
			late = append(late, at.role)
		}
		status.print(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if len(late) > 0 {
		return apperror.New(apperror.Unavailable, "%s: not ready; the table says why", strings.Join(late, ", "))
	}
	return nil
}

func (s roleStatus) print(w io.Writer) {
	word := map[bool]string{true: "ready", false: "not ready"}[s.ready]
	if len(s.parts) == 0 {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t\t\n", s.role, s.address, word)
	}
	role, address := s.role, s.address
	for _, part := range slices.Sorted(maps.Keys(s.parts)) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", role, address, word, part, s.parts[part])
		role, address, word = "", "", "" // said once
	}
}

// askReady reads a server's /readyz. Whatever goes wrong is part of the answer.
func askReady(ctx context.Context, how outgoing.Options, role, address string) roleStatus {
	s := roleStatus{role: role, address: address, parts: map[string]string{}}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	said, err := httpserver.AskReady(ctx, how.Client(address, outgoing.NewTransport()), role, address)
	switch {
	case err != nil:
		s.parts["server"] = "this is not an address; write it as http://host:port"
	case !said.Answers:
		s.parts["server"] = "it does not answer; start it with tasador --role=" + role + ", or name its address"
	case !said.Ours:
		s.parts["server"] = "something else than this role answers there; check the address"
	default:
		s.parts, s.ready = said.Parts, said.Ready
		for part, note := range said.Notes {
			s.parts[part] += " (" + note + ")"
		}
	}
	return s
}
