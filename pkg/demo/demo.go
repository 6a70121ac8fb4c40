// Package demo runs the whole job once for somebody who wants to see it: every path of the DAG in a fresh folder, then a price.
// It is a client like any other: what it shows comes from the servers' answers, and a path that ends otherwise than it must is an error.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

const (
	runLimit     = 15 * time.Minute // for one DAG run; a file may be large
	servingLimit = 60 * time.Second // until a promotion is served
	pollEvery    = 100 * time.Millisecond
)

// RunRoles runs roles until ctx ends, fills cfg with the addresses in force and calls ready once all roles are.
type RunRoles func(ctx context.Context, cfg *config.Config, roles []string, log *slog.Logger, ready func()) error

// Options say what to demonstrate.
type Options struct {
	CSV      string // file whose rows are used; empty means generated listings
	Dir      string // folder for everything that is stored; empty means a temporary one, removed at the end
	RunRoles RunRoles
	Out, Err io.Writer // result, progress
}

// Run demonstrates. It returns an error that names the first path that did not end as it must.
func Run(ctx context.Context, opts Options) error {
	begin := time.Now()
	p := generated()
	if opts.CSV != "" {
		path, err := filepath.Abs(opts.CSV)
		if err != nil {
			return fmt.Errorf("path of %s: %w", opts.CSV, err)
		}
		opts.CSV = path
		if p, err = fromFile(ctx, opts.CSV); err != nil {
			return err
		}
	}
	dir, cleanUp, err := folder(opts.Dir)
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(dir, "demo.log"))
	if err != nil {
		return errors.Join(apperror.Wrap(apperror.Unavailable, err, "cannot write in %s", dir), cleanUp())
	}
	cfg, err := settings(dir, opts.CSV, p)
	if err != nil {
		return errors.Join(err, logFile.Close(), cleanUp())
	}
	s := &show{plan: p, opts: opts, cfg: cfg, begin: begin}
	log := slog.New(slog.NewTextHandler(logFile, nil))
	err = withRoles(ctx, cfg, opts.RunRoles, log, s.run)
	err = errors.Join(err, logFile.Close())
	if ctx.Err() != nil { // whoever stops it has seen enough
		return errors.Join(ctx.Err(), cleanUp())
	}
	if err != nil && opts.Dir == "" {
		_, _ = fmt.Fprintf(opts.Err, "what the servers logged is kept in %s\n", logFile.Name()) // progress only
		return err
	}
	if err = errors.Join(err, cleanUp()); err != nil {
		return err
	}
	return s.closing()
}

func folder(dir string) (string, func() error, error) {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "tasador-demo-")
		if err != nil {
			return "", nil, apperror.Wrap(apperror.Unavailable, err, "cannot make a temporary folder")
		}
		return tmp, func() error { return os.RemoveAll(tmp) }, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the folder %s", dir)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return "", nil, apperror.New(apperror.Invalid, "the folder %s is not empty; the demonstration needs a fresh one", dir)
	}
	return dir, func() error { return nil }, nil
}

// settings are those of four roles in one process on free ports, whatever the environment says.
func settings(dir, csv string, p plan) (*config.Config, error) {
	cfg, err := config.Default()
	if err != nil {
		return nil, err
	}
	for _, role := range config.RoleNames() {
		*cfg.Listen(role) = "127.0.0.1:0"
	}
	cfg.DataDir, cfg.Gate = dir, p.gate
	cfg.Source.CSV, cfg.Source.Batches = csv, p.batches()
	cfg.Schedule.Cron, cfg.Schedule.RetryDelay = "none", time.Second
	return cfg, nil
}

// withRoles runs fn beside the roles and stops them afterwards.
func withRoles(ctx context.Context, cfg *config.Config, runRoles RunRoles, log *slog.Logger, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- runRoles(ctx, cfg, config.RoleNames(), log, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		return errors.Join(err, ctx.Err())
	}
	err := fn(ctx)
	cancel()
	return errors.Join(err, <-ended)
}

// show is a demonstration under way.
type show struct {
	plan     plan
	opts     Options
	cfg      *config.Config
	begin    time.Time
	pipeline *pipelineclient.Client
	tracking *trackingclient.Client
	results  []result
	version  string
	testRMSE float64
	price    float64
}

// result is what one step came to.
type result struct {
	step     step
	decision string
	reason   string
	took     time.Duration
}

func (s *show) run(ctx context.Context) error {
	s.pipeline = pipelineclient.New(s.cfg.Address(config.RolePipeline), outgoing.Options{})
	s.tracking = trackingclient.New(s.cfg.Address(config.RoleTracking), trackingclient.Options{})
	s.announce()
	for i, st := range s.plan.steps {
		r, err := s.perform(ctx, i, st)
		if err != nil {
			return fmt.Errorf("%s (%s): %w", st.title, st.runID, err)
		}
		s.results = append(s.results, r)
		if st.decision == realtor.DecisionTrain {
			if err := s.judgeModel(ctx, st); err != nil {
				return fmt.Errorf("%s (%s): %w", st.title, st.runID, err)
			}
		}
	}
	return s.askPrice(ctx)
}

// perform triggers a DAG run, follows it to its end and compares what was decided with what the step must show.
func (s *show) perform(ctx context.Context, i int, st step) (result, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	if _, err := s.pipeline.Trigger(ctx, realtor.DAG, pipelineclient.Trigger{RunID: st.runID, Conf: st.conf}); err != nil {
		return result{}, err
	}
	if err := s.follow(ctx, i, st); err != nil {
		return result{}, err
	}
	run, err := s.trackedRun(ctx, st.runID, realtor.DecisionRun)
	if err != nil {
		return result{}, err
	}
	r := result{step: st, took: time.Since(begin)}
	r.decision, _ = run.Tag(realtor.TagDecision)
	r.reason, _ = run.Tag(realtor.TagReason)
	if r.decision != st.decision || !strings.Contains(r.reason, st.reason) {
		return result{}, fmt.Errorf("the DAG went on to %s because of %q; it had to go to %s because of %q", r.decision, r.reason, st.decision, st.reason)
	}
	s.tell(i, r)
	return r, nil
}

// trackedRun finds the experiment run of a DAG run by its name.
func (s *show) trackedRun(ctx context.Context, dagRunID, name string) (*experiment.Run, error) {
	e, err := s.tracking.ExperimentByName(ctx, realtor.Experiment)
	if err != nil {
		return nil, err
	}
	page, err := s.tracking.SearchRuns(ctx, experiment.RunSearch{
		ExperimentIDs: []string{e.ID},
		Search:        experiment.Search{Filter: fmt.Sprintf("tags."+realtor.TagDAGRunID+" = '%s' AND attributes.run_name = '%s'", dagRunID, name)},
	})
	if err != nil {
		return nil, err
	}
	if len(page.Items) != 1 {
		return nil, apperror.New(apperror.NotFound, "tracking has %d runs named %s of this DAG run; it must have one", len(page.Items), name)
	}
	return &page.Items[0], nil
}

// judgeModel checks that the trained model is the one in Production.
func (s *show) judgeModel(ctx context.Context, st step) error {
	run, err := s.trackedRun(ctx, st.runID, realtor.TrainRun(st.runID))
	if err != nil {
		return err
	}
	rmse, ok := run.Metric(realtor.MetricTestRMSE)
	if promoted, _ := run.Tag(realtor.TagPromoted); !ok || promoted != "true" {
		return apperror.New(apperror.FailedPrecondition, "the model was not promoted (promoted=%s)", promoted)
	}
	versions, err := s.tracking.LatestVersions(ctx, realtor.Model, nil)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Stage == registry.Production && v.RunID == run.ID {
			s.version, s.testRMSE = v.Version, rmse
			return nil
		}
	}
	return apperror.New(apperror.FailedPrecondition, "no version of %s is in Production", realtor.Model)
}
