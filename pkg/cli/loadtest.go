package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"tasador/pkg/apperror"
	"tasador/pkg/loadtest"
)

// LoadTest sends predictions to a server at a steady rate, or at one that grows, and reports how fast it answers.
type LoadTest struct {
	URL         string        `name:"url" default:"http://127.0.0.1:8000" env:"TASADOR_SERVING_URI" placeholder:"URL" help:"Address of the prediction server; without a path, its /predict is asked."`
	AllowRemote bool          `name:"allow-remote" help:"Load a server that is not on this machine; make sure that it is yours."`
	Rate        float64       `name:"rate" default:"100" placeholder:"N" help:"Requests per second, whether or not earlier ones are answered."`
	RampTo      float64       `name:"ramp-to" placeholder:"N" help:"Change the rate in a straight line, from --rate to this at the end."`
	Duration    time.Duration `name:"duration" default:"10s" help:"How long requests are sent."`
	Connections int           `name:"connections" default:"32" placeholder:"N" help:"Connections at the same time; a request that finds all in use waits, which counts as its latency."`
	Timeout     time.Duration `name:"timeout" default:"10s" help:"Longest that a request may take before it counts as an error."`

	CSV      string `name:"csv" placeholder:"FILE" help:"CSV file of listings to send, of which the first 100,000 are used; those without a field that a prediction needs are left out. Default: generated listings."`
	Seed     uint64 `name:"seed" default:"1" placeholder:"S" help:"Seed of the generated listings."`
	Listings int    `name:"listings-per-request" default:"1" placeholder:"N" help:"Listings in each request: one is sent as an object, more as a list."`

	JSON string `name:"json" placeholder:"FILE" help:"Write the report as JSON to this file; - is the standard output, instead of the text."`
	HTML string `name:"html" placeholder:"FILE" help:"Write the report with its pictures as one HTML page to this file."`

	MaxP99        *time.Duration `name:"max-p99" placeholder:"DURATION" help:"Fail if one request in a hundred takes longer, such as 5ms."`
	MaxErrorRatio *float64       `name:"max-error-ratio" placeholder:"RATIO" help:"Fail if more than this share of the requests, 0 to 1, end in an error."`
	MinRateRatio  *float64       `name:"min-rate-ratio" placeholder:"RATIO" help:"Fail if less than this share of the rate, 0 to 1, could be sent."`
	connectionFlags
}

// Bounds that keep a slip from using up the machine.
const (
	mostRate        = 1_000_000
	mostConnections = 10_000
	mostListings    = 10_000
)

// Run sends the requests and reports: text on the standard output, progress on the error output. It fails if a limit is missed.
func (l *LoadTest) Run(ctx context.Context, out IO) error {
	plan, err := l.plan(ctx, out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return usageError{err}
	}
	line := newStatusLine(out.Err)
	report := loadtest.Run(ctx, plan, func(p loadtest.Progress) { line.show(p.String()) })
	line.end()
	missed := report.Judge(loadtest.Limits{MaxP99: l.MaxP99, MaxErrorRatio: l.MaxErrorRatio, MinRateRatio: l.MinRateRatio})
	if err := l.write(report, out); err != nil {
		return err
	}
	if missed == nil && report.Interrupted {
		return ctx.Err() // the report is of a part only: no script shall take it for the whole
	}
	return missed
}

// plan checks what was asked for, before anything is sent.
func (l *LoadTest) plan(ctx context.Context, out IO) (loadtest.Plan, error) {
	var plan loadtest.Plan
	if err := l.checkNumbers(); err != nil {
		return plan, err
	}
	target, err := l.target(ctx)
	if err != nil {
		return plan, err
	}
	for flag, path := range map[string]string{"--json": l.JSON, "--html": l.HTML} {
		if err := checkWritable(flag, path, l.CSV); err != nil {
			return plan, err
		}
	}
	if l.HTML == "-" {
		return plan, apperror.New(apperror.Invalid, "--html=- is not possible; name a file")
	}
	how, err := l.outgoing()
	if err != nil {
		return plan, err
	}
	bodies, err := l.bodies(ctx, out.Err)
	if err != nil {
		return plan, err
	}
	return loadtest.Plan{
		URL: target, Rate: l.Rate, RampTo: l.RampTo, Duration: l.Duration, Connections: l.Connections, Timeout: l.Timeout, Bodies: bodies, Listings: l.Listings, Outgoing: how,
	}, nil
}

func (l *LoadTest) checkNumbers() error {
	ratio := func(v *float64) bool { return v == nil || *v >= 0 && *v <= 1 }
	switch {
	case !(l.Rate > 0 && l.Rate <= mostRate): // not a number either
		return apperror.New(apperror.Invalid, "--rate=%v must be above 0 and at most %d requests per second", l.Rate, mostRate)
	case !(l.RampTo >= 0 && l.RampTo <= mostRate):
		return apperror.New(apperror.Invalid, "--ramp-to=%v must be above 0 and at most %d requests per second", l.RampTo, mostRate)
	case l.Duration <= 0:
		return apperror.New(apperror.Invalid, "--duration=%s must be above 0", l.Duration)
	case math.Round(l.Duration.Seconds()*l.Rate) < 1 && l.RampTo == 0:
		return apperror.New(apperror.Invalid, "--rate=%v sends nothing in --duration=%s; raise one of them", l.Rate, l.Duration)
	case l.Timeout <= 0:
		return apperror.New(apperror.Invalid, "--timeout=%s must be above 0", l.Timeout)
	case l.Connections < 1 || l.Connections > mostConnections:
		return apperror.New(apperror.Invalid, "--connections=%d must be 1 to %d", l.Connections, mostConnections)
	case l.Listings < 1 || l.Listings > mostListings:
		return apperror.New(apperror.Invalid, "--listings-per-request=%d must be 1 to %d", l.Listings, mostListings)
	case l.MaxP99 != nil && *l.MaxP99 <= 0:
		return apperror.New(apperror.Invalid, "--max-p99=%s must be above 0", *l.MaxP99)
	case !ratio(l.MaxErrorRatio):
		return apperror.New(apperror.Invalid, "--max-error-ratio=%v must be 0 to 1", *l.MaxErrorRatio)
	case !ratio(l.MinRateRatio):
		return apperror.New(apperror.Invalid, "--min-rate-ratio=%v must be 0 to 1", *l.MinRateRatio)
	}
	return nil
}

// target returns the full address. One outside this machine has to be allowed: nobody shall load a server of others by a slip.
func (l *LoadTest) target(ctx context.Context) (string, error) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", apperror.New(apperror.Invalid, "--url=%s is not an address; write it as http://host:port", l.URL)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/predict"
	}
	if l.AllowRemote {
		return u.String(), nil
	}
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, u.Hostname())
	if err != nil {
		return "", apperror.New(apperror.Invalid, "--url=%s: the host %s is not known", l.URL, u.Hostname())
	}
	for _, a := range addresses {
		if !a.IP.IsLoopback() {
			return "", apperror.New(apperror.Invalid, "--url=%s is not on this machine; if that server is yours to load, add --allow-remote", l.URL)
		}
	}
	return u.String(), nil
}

func (l *LoadTest) bodies(ctx context.Context, progress io.Writer) (_ [][]byte, err error) {
	if l.CSV == "" {
		return loadtest.Generated(l.Seed, l.Listings)
	}
	file, err := os.Open(l.CSV) // #nosec G304 -- the user names the file
	if err != nil {
		return nil, apperror.New(apperror.Invalid, "--csv=%s cannot be read: %v", l.CSV, rootCause(err))
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	bodies, leftOut, err := loadtest.FromCSV(ctx, file, l.Listings)
	if err != nil {
		return nil, inFile(l.CSV, err)
	}
	if leftOut > 0 {
		_, _ = fmt.Fprintf(progress, "%d listings of %s are left out: they lack a field that a prediction needs\n", leftOut, l.CSV)
	}
	return bodies, nil
}

// write writes the report to all places that were named.
func (l *LoadTest) write(r *loadtest.Report, out IO) error {
	if l.JSON == "-" {
		return errors.Join(r.WriteJSON(out.Out), l.writeFile("--html", l.HTML, r.WriteHTML))
	}
	return errors.Join(r.WriteText(out.Out), l.writeFile("--json", l.JSON, r.WriteJSON), l.writeFile("--html", l.HTML, r.WriteHTML))
}

func (l *LoadTest) writeFile(flag, path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	if err := writeOut(path, write); err != nil {
		return cannotWrite(flag, path, rootCause(err))
	}
	return nil
}

// statusLine shows what goes on: on a terminal as a line that is written over, elsewhere as a line now and then.
type statusLine struct {
	w        io.Writer
	terminal bool
	next     time.Time
	shown    bool
}

func newStatusLine(w io.Writer) *statusLine {
	file, ok := w.(*os.File)
	return &statusLine{w: w, terminal: ok && term.IsTerminal(int(file.Fd())), next: time.Now().Add(displayEvery)}
}

func (s *statusLine) show(text string) {
	const home, eraseRest = "\r", "\x1b[K"
	if s.terminal {
		s.shown = true
		_, _ = io.WriteString(s.w, home+text+eraseRest) // nobody may see it
		return
	}
	if now := time.Now(); now.After(s.next) {
		s.next = now.Add(displayEvery)
		_, _ = io.WriteString(s.w, text+"\n") // nobody may read it
	}
}

// end leaves the line as it is.
func (s *statusLine) end() {
	if s.shown {
		_, _ = io.WriteString(s.w, "\n") // as above
	}
}
