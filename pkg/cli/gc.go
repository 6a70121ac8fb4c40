package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/trackinggc"
)

// GC removes what was deleted in tracking, beside a tracking server that may be running.
type GC struct {
	OlderThan age              `name:"older-than" default:"30d" placeholder:"AGE" help:"Least time since something was deleted, such as 30d, 12h or 0s."`
	Yes       bool             `name:"yes" help:"Remove it; nothing brings it back."`
	DataDir   string           `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Folder of the default database and artifacts."`
	DB        string           `name:"tracking.db" placeholder:"URL" env:"TASADOR_TRACKING_DB" help:"Database of experiments and models. Default: sqlite:DATA-DIR/tracking.db"`
	Artifacts config.Artifacts `embed:"" prefix:"artifacts."`
	File      kong.ConfigFlag  `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// age is a time.Duration that may be given in days.
type age time.Duration

var days = regexp.MustCompile(`^(\d{1,6})d(.*)$`)

// UnmarshalText reads 30d, 1d12h or what time.ParseDuration does.
func (a *age) UnmarshalText(text []byte) error {
	rest, whole := string(text), 0
	if m := days.FindStringSubmatch(rest); m != nil {
		whole, _ = strconv.Atoi(m[1]) // at most six digits
		if rest = m[2]; rest == "" {
			rest = "0s"
		}
	}
	d, err := time.ParseDuration(rest)
	if d += time.Duration(whole) * 24 * time.Hour; err != nil || d < 0 {
		return apperror.New(apperror.Invalid, "%q is no age; write it as 30d, 12h or 0s", text)
	}
	*a = age(d)
	return nil
}

// Run says what was deleted long enough ago, and with --yes removes it.
func (g *GC) Run(ctx context.Context, out IO) (err error) {
	cfg := config.Config{DataDir: g.DataDir, Artifacts: g.Artifacts}
	cfg.Tracking.DB = g.DB
	cfg.SetDefaults(nil)
	if path, ok := strings.CutPrefix(cfg.Tracking.DB, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return apperror.New(apperror.NotFound, "there is no tracking database %s; check --data-dir or --tracking.db", path)
		}
	}
	files, err := places.Join(ctx, cfg.Artifacts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	log, err := observability.NewLogger(out.Err, "text", "warn")
	if err != nil {
		return err
	}
	store, err := trackingstore.Open(ctx, cfg.Tracking.DB, files.Root(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	before := time.Now().Add(-time.Duration(g.OlderThan)).UnixMilli()
	if err := g.uploads(ctx, out, files, time.UnixMilli(before)); err != nil {
		return err
	}
	if g.Yes {
		return remove(ctx, out, store, files, before)
	}
	all, err := store.Garbage(ctx, before)
	if err != nil {
		return err
	}
	kept := 0
	for _, one := range all {
		if one.UsedBy != "" {
			kept++
			tellGarbage(out, "would keep", one, "used by "+one.UsedBy)
			continue
		}
		tellGarbage(out, "would remove", one, "")
	}
	_, err = fmt.Fprintf(out.Out, "%d to remove, %d to keep; nothing was changed. --yes removes them for good.\n", len(all)-kept, kept)
	return err
}

// uploads tells of uploads that were never completed, and with --yes drops their parts. Keys that may not list them are no reason to stop.
func (g *GC) uploads(ctx context.Context, out IO, files *places.Places, before time.Time) error {
	verb := "would abort"
	if g.Yes {
		verb = "aborted"
	}
	err := trackinggc.Uploads(ctx, files, before, g.Yes, func(u artifact.Upload) {
		_, _ = fmt.Fprintf(out.Out, "%s the upload of %s, begun %s UTC\n", verb, u.Path, u.Begun.UTC().Format(time.DateTime)) // the last line tells
	})
	if apperror.CodeOf(err) == apperror.PermissionDenied {
		_, err = fmt.Fprintf(out.Err, "unfinished uploads stay: %s\n", err)
	}
	return err
}

func tellGarbage(out IO, verb string, g trackingstore.Garbage, why string) {
	line := fmt.Sprintf("%s %s %s (%s), deleted %s UTC", verb, strings.ReplaceAll(string(g.Kind), "_", " "), g.ID, g.Name,
		time.UnixMilli(g.DeletedTime).UTC().Format(time.DateTime))
	if why != "" {
		line += ": " + why
	}
	_, _ = fmt.Fprintln(out.Out, line) // the last line tells
}

func remove(ctx context.Context, out IO, store *trackingstore.Store, files *places.Places, before int64) error {
	count := map[trackinggc.Outcome]int{}
	err := trackinggc.Run(ctx, store, files, before, func(r trackinggc.Result) {
		count[r.Outcome]++
		if r.FilesLeft != "" {
			r.Why = "its files stay at " + r.FilesLeft + ", which tracking does not keep"
		}
		tellGarbage(out, string(r.Outcome), r.Garbage, r.Why)
	})
	_, _ = fmt.Fprintf(out.Out, "%d removed, %d kept, %d failed\n", count[trackinggc.Removed], count[trackinggc.Kept], count[trackinggc.Failed]) // the error says more
	if n := count[trackinggc.Failed]; err == nil && n > 0 {
		return apperror.New(apperror.Unavailable, "the files of %d could not be removed; what is wrong stands above; then run it again", n)
	}
	return err
}
