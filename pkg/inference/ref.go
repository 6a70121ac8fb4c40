package inference

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/registry"
)

// Ref names a version of a model: by the stage that it is in, by an alias, or by its number. Only one of them is set; none names nothing.
type Ref struct {
	Stage   registry.Stage
	Alias   string
	Version string
}

// IsZero reports whether it names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String returns what ParseRef reads.
func (r Ref) String() string {
	if r.Alias != "" {
		return aliasSign + r.Alias
	}
	return string(r.Stage) + r.Version
}

// aliasSign begins an alias, as in MLflow's models:/name@alias.
const aliasSign = "@"

// plainNumber is what a version number looks like.
var plainNumber = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

// ParseRef reads a number, a stage in any case, or an alias, which may begin with @ and must if it looks like one of the others. Codes: Invalid.
func ParseRef(s string) (Ref, error) {
	s = strings.TrimSpace(s)
	alias, marked := strings.CutPrefix(s, aliasSign)
	if !marked {
		if plainNumber.MatchString(s) {
			return Ref{Version: s}, nil
		}
		if stage, err := registry.ParseStage(s); err == nil {
			return Ref{Stage: stage}, nil
		}
	}
	if alias == "" || len(alias) > 255 || strings.ContainsAny(alias, " /:@\t\r\n") {
		return Ref{}, apperror.New(apperror.Invalid, "%.80q names no version; write a stage such as Staging, an alias such as @champion, or a number", s)
	}
	return Ref{Alias: alias}, nil
}

// wanted returns the version that a reference names now, with its stage. Codes: NotFound if it names none.
func (p *Predictor) wanted(ctx context.Context, ref Ref) (Identity, registry.Stage, error) {
	var v *registry.Version
	var err error
	switch {
	case ref.Alias != "":
		v, err = p.opts.Registry.VersionByAlias(ctx, p.opts.Model, ref.Alias)
		if code := apperror.CodeOf(err); err != nil && (code == apperror.Invalid || code == apperror.NotFound) {
			err = apperror.Wrap(apperror.NotFound, err, "no version of %s has the alias %s yet; set it in tracking", p.opts.Model, ref.Alias)
		}
	case ref.Version != "":
		v, err = p.opts.Registry.Version(ctx, p.opts.Model, ref.Version)
		if code := apperror.CodeOf(err); err != nil && (code == apperror.Invalid || code == apperror.NotFound) {
			err = apperror.Wrap(apperror.NotFound, err, "%s has no version %s", p.opts.Model, ref.Version)
		}
	default:
		v, err = p.newest(ctx, ref.Stage)
	}
	if err != nil {
		return Identity{}, "", err
	}
	return Identity{Name: p.opts.Model, Version: v.Version, RunID: v.RunID, Source: v.Source, Created: v.CreationTimestamp}, v.Stage, nil
}

// newest returns the newest version in a stage.
func (p *Predictor) newest(ctx context.Context, stage registry.Stage) (*registry.Version, error) {
	versions, err := p.opts.Registry.LatestVersions(ctx, p.opts.Model, []registry.Stage{stage})
	switch {
	case err != nil && apperror.CodeOf(err) == apperror.NotFound:
		return nil, apperror.Wrap(apperror.NotFound, err, "tracking knows no model %s yet", p.opts.Model)
	case err != nil:
		return nil, err
	}
	versions = slices.DeleteFunc(versions, func(v registry.Version) bool { return v.Stage != stage })
	if len(versions) == 0 {
		return nil, apperror.New(apperror.NotFound, "no version of %s is in %s", p.opts.Model, stage)
	}
	v := slices.MaxFunc(versions, func(a, b registry.Version) int { return cmp.Compare(number(a), number(b)) })
	return &v, nil
}

// number is a version's number; one that is none counts as the oldest.
func number(v registry.Version) int {
	n, err := strconv.Atoi(v.Version)
	if err != nil {
		return -1
	}
	return n
}
