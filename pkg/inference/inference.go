// Package inference answers predictions with the model version that is in production, and follows the registry: a newer version is
// fetched, tried and then put in place at once, between two requests and without stopping any. Beside it others may answer: a challenger a
// share of the requests, a shadow all of them without being heard, and any version that is asked for by its number.
package inference

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/drift"
	"tasador/pkg/features"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/registry"
)

// Registry is what following a model needs of tracking.
type Registry interface {
	// LatestVersions returns the newest version of each stage asked for. Codes: NotFound if there is no such model, Unavailable.
	LatestVersions(ctx context.Context, name string, stages []registry.Stage) ([]registry.Version, error)
	// VersionByAlias returns the version that an alias names. Codes: Invalid (no such alias), NotFound, Unavailable.
	VersionByAlias(ctx context.Context, name, alias string) (*registry.Version, error)
	// Version returns one. Codes: NotFound, Unavailable.
	Version(ctx context.Context, name, version string) (*registry.Version, error)
	// DownloadFolder writes the files below models:/name/version into dir. Codes: NotFound, Unavailable.
	DownloadFolder(ctx context.Context, artifactURI, dir string) error
}

// Options say what to follow. Those without a remark are required.
type Options struct {
	Registry   Registry
	Model      string        // registered model
	Live       Ref           // whose version is served
	Challenger Ref           // whose version answers a share of the requests; may be none
	Share      float64       // of the requests that the challenger answers, from 0 to 1
	Shadow     Ref           // whose version is asked too, without being heard; may be none
	Follow     time.Duration // between two questions to the registry
	Dir        string        // keeps what is served, so that a restart needs no tracking
	Log        *slog.Logger
	Now        func() time.Time // nil means time.Now
}

// Role says for whom a version answers.
type Role string

// The roles.
const (
	Champion   Role = "champion"   // the version that is served
	Challenger Role = "challenger" // the one that answers a share of the requests
	Shadow     Role = "shadow"     // the one that nobody hears
	Requested  Role = "requested"  // one that a request named
)

// Served is a model version that answers. It is never changed.
type Served struct {
	Identity
	Role  Role
	Stage registry.Stage // when the registry was asked last
	Model *model.Model
	Watch *drift.Monitor // of this version, in whatever role it answers
	Since time.Time      // when this process began to serve it

	encoder *features.Encoder
}

// Statuses are the statuses that the model has a feature for. The slice must not be changed.
func (s *Served) Statuses() []string { return s.encoder.Statuses() }

// Price returns the price of a listing at an instant, in dollars: what Model.Predict returns. scratch, which may be nil, is overwritten with the features and
// returned, so that a caller who gives it back makes no garbage. Codes: Invalid if the numbers are too large.
func (s *Served) Price(listing *property.Listing, asOf time.Time, scratch []float64) (price float64, encoded []float64, err error) {
	encoded = s.encoder.Append(scratch[:0], listing, features.NewClock(asOf))
	price, err = s.Model.PriceOf(encoded)
	return price, encoded, err
}

// Identity tells a model version from every other, also from one of the same number in a registry that was made anew.
type Identity struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	RunID   string `json:"run_id"`
	Source  string `json:"source"`
	Created int64  `json:"created"` // milliseconds since 1970 (UTC)
}

// Predictor answers with the current version. It is safe for concurrent use.
type Predictor struct {
	opts       Options
	live       *track
	challenger *track
	share      threshold
	shadow     *shadow
	others     *versions
	watches    watches
	swaps      atomic.Uint64
}

// New returns a predictor that serves what it served last, if Dir still has it. Run makes it follow the registry.
func New(opts Options) *Predictor {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	p := &Predictor{
		opts: opts, live: &track{ref: opts.Live, role: Champion}, challenger: &track{ref: opts.Challenger, role: Challenger},
		share: thresholdOf(opts.Share), others: newVersions(),
	}
	p.shadow = newShadow(&track{ref: opts.Shadow, role: Shadow}, opts)
	p.sweepOthers()
	p.loadSeen()
	switch served, err := p.restore(); {
	case err != nil:
		opts.Log.Warn("the model kept on disk cannot be used; waiting for tracking", "dir", opts.Dir, "error", err)
	case served != nil:
		p.live.current.Store(served)
		opts.Log.Info("serving the model kept on disk", "model", served.Name, "version", served.Version)
		p.sweep(served) // a kill may have left more
	}
	return p
}

// serve makes a version ready to answer: it resolves what a prediction would otherwise look up each time.
func (p *Predictor) serve(what Identity, stage registry.Stage, role Role, m *model.Model) (*Served, error) {
	encoder, err := m.Schema.Compile()
	if err != nil {
		return nil, err
	}
	return &Served{Identity: what, Role: role, Stage: stage, Model: m, Watch: p.watches.of(what, m), Since: p.opts.Now(), encoder: encoder}, nil
}

// Current returns the version that is served. Codes: Unavailable before the first promotion, with what is missing.
func (p *Predictor) Current() (*Served, error) {
	if served := p.live.current.Load(); served != nil {
		return served, nil
	}
	return nil, p.missing()
}

// Problem returns why following the registry failed the last time, nil if it did not.
func (p *Predictor) Problem() error { return p.live.lastProblem() }

// Swaps counts how often another version was put in place since the process began.
func (p *Predictor) Swaps() uint64 { return p.swaps.Load() }

// missing says in one sentence why nothing can be answered.
func (p *Predictor) missing() error {
	o := p.opts
	switch last := p.live.problem.Load(); {
	case last == nil:
		return apperror.New(apperror.Unavailable, "%s is being fetched from tracking; try again in a moment", o.Model)
	case last.err != nil && apperror.CodeOf(last.err) != apperror.NotFound:
		return apperror.Wrap(apperror.Unavailable, last.err, "no version of %s can be served: %s", o.Model, apperror.SentenceOf(last.err))
	case o.Live.Alias != "":
		return apperror.New(apperror.Unavailable, "no version of %s has the alias %s yet; set it in tracking", o.Model, o.Live.Alias)
	default:
		return apperror.New(apperror.Unavailable, "no version of %s is in %s yet; run the DAG until it promotes one", o.Model, o.Live.Stage)
	}
}

// Predict prices a listing at an instant with the current version, which it also returns. Codes: Unavailable before the first
// promotion, Invalid if the numbers are too large.
func (p *Predictor) Predict(listing property.Listing, asOf time.Time) (model.Prediction, *Served, error) {
	served, err := p.Current()
	if err != nil {
		return model.Prediction{}, nil, err
	}
	prediction, err := served.Model.Predict(listing, asOf)
	return prediction, served, err
}
