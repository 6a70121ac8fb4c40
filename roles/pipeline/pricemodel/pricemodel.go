// Package pricemodel is the DAG realtor_price_model: listings are collected, judged, split and cleaned, a model is trained on them,
// and it goes to production if it is better than every one before.
//
// Every task may be run again: it finds what an earlier try left (the kept payload, the batch, the runs and the model version with
// the id of the DAG run) and goes on from there.
package pricemodel

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/listingapi"
	"tasador/pkg/observability"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/trackingclient"
)

// Deps is what the tasks work with.
type Deps struct {
	data     *datasetstore.Store
	source   *listingapi.Client
	tracking Tracking
	request  listingapi.Request // without its key
	gate     dataset.Gate
	schedule config.Schedule
	payloads payloads
	workDir  string // temporary files; emptied at the start
	producer string // version of tasador, written into models
}

// NewDeps opens the databases of listings and prepares the clients of the data API and of tracking, which are not called yet.
// Codes: Invalid for a database URL that is not understood, Unavailable when a database or the data folder cannot be used.
func NewDeps(ctx context.Context, cfg *config.Config, log *slog.Logger) (Deps, error) {
	source, err := sourceOf(cfg, log)
	if err != nil {
		return Deps{}, err
	}
	d := Deps{
		source: source,
		tracking: trackingclient.New(cfg.Tracking.URI, trackingclient.Options{
			Log: log, S3Endpoint: cfg.Artifacts.Endpoint, Outgoing: cfg.ToTracking(config.RolePipeline, log),
		}),
		request:  listingapi.Request{GroupNumber: cfg.Source.GroupNumber, Day: cfg.Source.Day},
		gate:     dataset.Gate{Nullable: cfg.Gate.Nullable, MaxInvalidRatio: cfg.Gate.MaxInvalidRatio, MinNewRecords: cfg.Gate.MinNewRecords},
		schedule: cfg.Schedule,
		payloads: newPayloads(filepath.Join(cfg.DataDir, "payloads")),
		workDir:  filepath.Join(cfg.DataDir, "work"),
		producer: observability.ReadBuild().Version,
	}
	d.data, err = datasetstore.Open(ctx, datasetstore.Options{RawURL: cfg.RawData.URL, CleanURL: cfg.CleanData.URL, SpillDir: d.workDir}, log)
	if err != nil {
		return Deps{}, err
	}
	if err := d.payloads.prepare(); err != nil {
		return Deps{}, errors.Join(err, d.Close())
	}
	return d, nil
}

func sourceOf(settings *config.Config, log *slog.Logger) (*listingapi.Client, error) {
	cfg := settings.Source
	headers, err := listingapi.ParseHeaders(cfg.Headers)
	if err != nil {
		return nil, err
	}
	return listingapi.New(cfg.URI, listingapi.Options{
		Timeout: cfg.Timeout, Retries: cfg.Retries, RetryDelay: cfg.RetryDelay, Rate: cfg.Rate, Headers: headers, Exact: cfg.Exact, Log: log,
		Outgoing: settings.ToSource(config.RolePipeline, log),
	}), nil
}

// Close closes the databases.
func (d Deps) Close() error { return d.data.Close() }

// Data is where the rows are that the tasks collect.
func (d Deps) Data() *datasetstore.Store { return d.data }

// Ready reports whether the databases of listings answer and can be written, and whether there is room for a payload. Tracking and the data API may be away
// for a while: tasks are tried again.
func (d Deps) Ready(ctx context.Context) error {
	if err := d.data.Ready(ctx); err != nil {
		return err
	}
	return d.payloads.probe.Check(ctx)
}

// Definition is the DAG.
func Definition(d Deps) dag.Definition {
	def := dag.Definition{
		ID:          realtor.DAG,
		Description: "Collects listings, decides whether to train, trains a ridge model and promotes it if it is better.",
		Owner:       d.schedule.Owner,
		Tags:        d.schedule.Tags,
		Tasks: []dag.Task{
			{ID: realtor.TaskExtract, Run: d.extract},
			{ID: realtor.TaskBranch, Upstream: []string{realtor.TaskExtract}, Run: d.branch},
			{ID: realtor.TaskReset, Upstream: []string{realtor.TaskBranch}, Run: d.reset},
			{ID: realtor.TaskEndAfterReset, Upstream: []string{realtor.TaskReset}, Run: nothing},
			{ID: realtor.TaskDecide, Upstream: []string{realtor.TaskBranch}, Run: d.decide},
			{ID: realtor.TaskSplit, Upstream: []string{realtor.TaskDecide}, Run: d.split},
			{ID: realtor.TaskPreprocess, Upstream: []string{realtor.TaskSplit}, Run: d.preprocess},
			{ID: realtor.TaskTrain, Upstream: []string{realtor.TaskPreprocess}, Run: d.train},
			{ID: realtor.TaskEndNoTrain, Upstream: []string{realtor.TaskDecide}, Run: nothing},
			{ID: realtor.TaskEnd, Upstream: []string{realtor.TaskEndAfterReset, realtor.TaskTrain, realtor.TaskEndNoTrain}, TriggerRule: dag.NoneFailedMinOneSuccess, Run: nothing},
		},
	}
	for i := range def.Tasks {
		def.Tasks[i].Retries = d.schedule.Retries
		def.Tasks[i].RetryDelay = d.schedule.RetryDelay
		def.Tasks[i].Timeout = d.schedule.TaskTimeout
	}
	return def
}

func nothing(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }

// claimOf is under which the task instance writes.
func claimOf(tc *dag.TaskContext) datasetstore.Claim {
	return datasetstore.Claim{DAGRunID: tc.Run.ID, TaskID: tc.TaskID, Fence: tc.Fence}
}
