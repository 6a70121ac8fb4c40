package loadtest

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// number writes a value with as many digits as matter: four, and no exponent.
func number(v float64) string {
	decimals := 0
	for limit := 1000.0; decimals < 6 && v < limit && v > -limit; limit /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// WriteText writes the report for people.
func (r *Report) WriteText(out io.Writer) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { _, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...) } // into memory
	row("target", "%s, at most %d connections, %s", r.URL, r.Plan.Connections, plural(r.Plan.ListingsPerBody, "listing")+" a request")
	row("load", "%s", r.load())
	row("sent", "%s, %s/s of %s/s asked (%s %%)", plural(int(r.Sent), "request"), number(r.Rate), number(r.AskedRate), number(100*r.RateRatio))
	row("good", "%s, %s/s, %s listings/s", plural(int(r.Good), "answer"), number(r.Throughput), number(r.Listings))
	row("errors", "%d (%s %%)", r.Errors, number(100*r.ErrorRatio))
	if r.Unanswered > 0 {
		row("unanswered", "%d when it was interrupted", r.Unanswered)
	}
	l := r.Latency
	row("latency", "p50 %s  p90 %s  p95 %s  p99 %s  p99.9 %s  max %s ms", number(l.P50), number(l.P90), number(l.P95), number(l.P99), number(l.P999), number(l.Max))
	row("", "min %s  mean %s ms", number(l.Min), number(l.Mean))
	row("left late", "p99 %s  max %s ms", number(r.Late.P99), number(r.Late.Max))
	for i, a := range r.Answers {
		row(first(i, "answers"), "%d × %s", a.Count, strings.TrimSpace(a.Status+"  "+a.First))
	}
	for i, j := range r.Limits {
		row(first(i, "limits"), "%s %s: %s", j.Name, word(j.Met), j.Says)
	}
	_ = w.Flush() // into memory
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// load describes the plan and how much of it was run.
func (r *Report) load() string {
	text := number(r.Plan.Rate)
	if r.Plan.RampTo != 0 {
		text += " to " + number(r.Plan.RampTo)
	}
	text += " requests/s for " + seconds(r.Plan.Seconds)
	if r.Interrupted {
		text += ", interrupted after " + seconds(r.Seconds)
	}
	return text
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func first(i int, name string) string {
	if i > 0 {
		return ""
	}
	return name
}

func word(met bool) string {
	if met {
		return "kept"
	}
	return "missed"
}

// String is one line about how far a run is.
func (p Progress) String() string {
	return fmt.Sprintf("%s of %s  %s requests/s asked  %d sent, %d answered, %d errors  p50 %s ms  p99 %s ms", p.Elapsed.Round(tellEvery), p.Duration,
		number(p.Asked), p.Sent, p.Ended-p.Errors, p.Errors, number(ms(p.P50)), number(ms(p.P99)))
}
