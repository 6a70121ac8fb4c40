package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/audit"
)

// Audit shows who changed what. It reads the files itself, so that it needs no server and no login.
type Audit struct {
	DataDir string `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Data folder of the servers."`
	Since   string `name:"since" placeholder:"TIME|AGE" help:"Only what is not older: a time, as 2026-01-01 or 2026-01-01T12:00:00Z, or an age, as 24h or 7d."`
	User    string `name:"user" placeholder:"USER" help:"Only what this user did."`
	Follow  bool   `name:"follow" short:"f" help:"Go on with what comes, until it is interrupted."`
	JSON    bool   `name:"json" help:"Print each entry as a line of JSON, as it is kept."`
}

// Run prints a line for each entry, the oldest first.
func (a *Audit) Run(ctx context.Context, out IO) error {
	since, err := sinceWhen(a.Since, time.Now())
	if err != nil {
		return usageError{err}
	}
	show := showEntry
	if a.JSON {
		show = func(w io.Writer, e audit.Entry) error { return json.NewEncoder(w).Encode(e) }
	}
	filter := audit.Filter{Since: since, User: a.User}
	return audit.Read(ctx, filepath.Join(a.DataDir, audit.Folder), filter, a.Follow, func(e audit.Entry) error { return show(out.Out, e) })
}

// sinceWhen reads a time or an age. Codes: Invalid.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && n >= 0 {
		return now.AddDate(0, 0, -n), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, apperror.New(apperror.Invalid, "--since=%s is neither a time, as 2026-01-01 or 2026-01-01T12:00:00Z, nor an age, as 24h or 7d", text)
}

// showEntry prints an entry for people. What clients have chosen moves no terminal.
func showEntry(w io.Writer, e audit.Entry) error {
	who := e.User
	if who == "" {
		who = "-"
	}
	how := strings.Join(present(e.Via, e.Token), " ")
	if how != "" {
		who += " (" + how + ")"
	}
	what := strings.Join(present(e.Server, e.Method, e.Action, e.Of()), " ")
	outcome := string(e.Outcome)
	if e.Status != 0 {
		outcome += " " + strconv.Itoa(e.Status)
	}
	line := strings.Join(present(e.Time.UTC().Format("2006-01-02 15:04:05.000"), who, e.Address, what, outcome), "  ")
	if e.Count > 0 {
		line += fmt.Sprintf("  and %d more", e.Count)
	}
	if e.Error != "" {
		line += "  " + e.Error
	}
	_, err := fmt.Fprintln(w, strings.Map(printable, line))
	return err
}

func present(words ...string) []string {
	var out []string
	for _, word := range words {
		if word != "" {
			out = append(out, word)
		}
	}
	return out
}

func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return '?'
}

// noteChange adds to the audit log of a data folder what a command has changed, or could not. The servers begin new files and remove old ones, not this.
func noteChange(dataDir, action string, object map[string]string, err error) error {
	l, openErr := audit.Open(audit.Options{Folder: filepath.Join(dataDir, audit.Folder), FileSize: math.MaxInt64, Files: math.MaxInt}, nil)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	e := audit.Entry{User: whoRuns(), Via: "command", Action: action, Object: object, Outcome: audit.Done}
	if err != nil {
		e.Outcome, e.Error = audit.Failed, apperror.MessageOf(err)
	}
	l.Record(e, false)
	return errors.Join(err, l.Close())
}

// whoRuns is the user of the operating system.
func whoRuns() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
