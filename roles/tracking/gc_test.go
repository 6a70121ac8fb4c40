package tracking_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/cli"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
	"tasador/pkg/trackingclient"
)

// gc runs tasador gc on the places of a server that is running.
func gc(t *testing.T, s server, args ...string) (code int, out, complaint string) {
	t.Helper()
	var o, e bytes.Buffer
	args = append([]string{"gc", "--tracking.db=" + s.cfg.Tracking.DB, "--artifacts.url=" + s.cfg.Artifacts.URL}, args...)
	if s.cfg.Artifacts.Endpoint != "" {
		args = append(args, "--artifacts.endpoint="+s.cfg.Artifacts.Endpoint)
	}
	code = cli.App{IO: cli.IO{Out: &o, Err: &e}}.Main(context.Background(), args)
	return code, o.String(), e.String()
}

// made is what a team has: some of it deleted.
type made struct {
	experiment, gone                       string // ids of experiments: one stays, one is deleted
	kept, deleted, used, inside            *experiment.Run
	model, deletedModel, inModel, oldModel *experiment.LoggedModel
}

func makeThings(t *testing.T, c *trackingclient.Client) (m made) {
	t.Helper()
	ctx := t.Context()
	var err error
	m.experiment, err = c.CreateExperiment(ctx, experiment.NewExperiment{Name: "stays"})
	require.NoError(t, err)
	m.gone, err = c.CreateExperiment(ctx, experiment.NewExperiment{Name: "goes", Tags: []experiment.Tag{{Key: "k", Value: "v"}}})
	require.NoError(t, err)
	run := func(id string) *experiment.Run {
		r, err := c.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		require.NoError(t, c.LogBatch(ctx, r.ID, experiment.Batch{
			Metrics: []experiment.Metric{{Key: "m", Value: 1, Timestamp: 1}}, Params: []experiment.Param{{Key: "p", Value: "v"}}, Tags: []experiment.Tag{{Key: "t", Value: "v"}},
		}))
		require.NoError(t, c.LogInputs(ctx, r.ID, experiment.Inputs{Datasets: []experiment.DatasetInput{{
			Dataset: experiment.Dataset{Name: "d", Digest: "1", SourceType: "s", Source: "s"}, Tags: []experiment.Tag{{Key: "k", Value: "v"}},
		}}}))
		require.NoError(t, c.PutArtifact(ctx, r.ArtifactURI, "deep/file", strings.NewReader("of "+r.ID)))
		return r
	}
	model := func(r *experiment.Run) *experiment.LoggedModel {
		l, err := c.CreateLoggedModel(ctx, experiment.NewLoggedModel{
			ExperimentID: r.ExperimentID, Name: "m", SourceRunID: r.ID, Params: []experiment.Param{{Key: "p", Value: "v"}}, Tags: []experiment.Tag{{Key: "k", Value: "v"}},
		})
		require.NoError(t, err)
		require.NoError(t, c.PutArtifact(ctx, l.ArtifactURI, "MLmodel", strings.NewReader("of "+l.ID)))
		return l
	}
	m.kept, m.deleted, m.used, m.inside = run(m.experiment), run(m.experiment), run(m.experiment), run(m.gone)
	m.model, m.deletedModel, m.inModel, m.oldModel = model(m.used), model(m.kept), model(m.inside), model(m.kept)
	_, err = c.CreateModel(ctx, "Registered", "", nil)
	require.NoError(t, err)
	for _, l := range []*experiment.LoggedModel{m.oldModel, m.model, m.oldModel} {
		_, err = c.CreateVersion(ctx, registry.NewVersion{Name: "Registered", Source: "models:/" + l.ID, ModelID: l.ID})
		require.NoError(t, err)
	}
	require.NoError(t, c.DeleteVersion(ctx, "Registered", "1"))
	require.NoError(t, c.DeleteVersion(ctx, "Registered", "3"))
	require.NoError(t, c.DeleteRun(ctx, m.deleted.ID))
	require.NoError(t, c.DeleteRun(ctx, m.used.ID)) // version 2 comes from it
	require.NoError(t, c.DeleteLoggedModel(ctx, m.deletedModel.ID))
	require.NoError(t, c.DeleteExperiment(ctx, m.gone))
	return m
}

// requireCollected checks that what was deleted is gone with its files, and what is used or was not deleted is not.
func requireCollected(t *testing.T, c *trackingclient.Client, m made) {
	t.Helper()
	ctx := t.Context()
	for _, r := range []*experiment.Run{m.deleted, m.inside} {
		_, err := c.Run(ctx, r.ID)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		list, err := c.ListArtifacts(ctx, r.ArtifactURI, "")
		require.NoError(t, err)
		require.Empty(t, list)
	}
	for _, r := range []*experiment.Run{m.kept, m.used} {
		got, err := c.Run(ctx, r.ID)
		require.NoError(t, err)
		require.Len(t, got.Metrics, 1)
		require.Len(t, got.Params, 1)
		require.NoError(t, c.DownloadFolder(ctx, r.ArtifactURI, t.TempDir()))
	}
	for _, l := range []*experiment.LoggedModel{m.deletedModel, m.inModel} {
		_, err := c.LoggedModel(ctx, l.ID)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		require.Equal(t, apperror.NotFound, apperror.CodeOf(c.DownloadFolder(ctx, l.ArtifactURI, t.TempDir())))
	}
	require.NoError(t, c.DownloadFolder(ctx, "models:/Registered/2", t.TempDir()))
	require.NoError(t, c.DownloadFolder(ctx, m.oldModel.ArtifactURI, t.TempDir()))
	_, err := c.Experiment(ctx, m.gone)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	_, err = c.CreateExperiment(ctx, experiment.NewExperiment{Name: "goes"})
	require.NoError(t, err, "its name is free")
	v, err := c.CreateVersion(ctx, registry.NewVersion{Name: "Registered", Source: "models:/" + m.model.ID, ModelID: m.model.ID})
	require.NoError(t, err)
	require.Equal(t, "4", v.Version, "numbers are never given again")
}

// startServers runs the role with everything on servers.
func startServers(t *testing.T) server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	remote.MakeBucket(t, "mlflows3")
	cfg := newConfig(t)
	cfg.Tracking.DB, cfg.Artifacts.URL, cfg.Artifacts.Endpoint = testkit.NewDatabase(t, testkit.PostgresEngine), "s3://mlflows3/artifacts", remote.Endpoint
	return startWith(t, cfg)
}

// beginUpload begins one in parts, as clients do; empty where files are in a folder.
func beginUpload(t *testing.T, s server) string {
	t.Helper()
	if !strings.HasPrefix(s.cfg.Artifacts.URL, "s3:") {
		return ""
	}
	var made struct {
		ID string `json:"upload_id"`
	}
	got := s.call(t, "POST", proxyAPI+"/mpu/create/9/run/artifacts", "application/json", `{"path":"f","num_parts":2}`)
	require.NoError(t, json.Unmarshal([]byte(got.body), &made), got.body)
	return made.ID
}

func TestGarbageIsCollectedBesideTheServer(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) server{
		"folder": start, "s3": func(t *testing.T) server { t.Helper(); s, _ := startS3(t); return s }, "s3 and PostgreSQL": startServers,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			upload := beginUpload(t, s)
			m := makeThings(t, s.client())
			code, out, complaint := gc(t, s, "--older-than=1h", "--yes")
			require.Zero(t, code, complaint)
			require.Equal(t, "0 removed, 0 kept, 0 failed\n", out, "it was deleted just now")

			code, out, complaint = gc(t, s, "--older-than=0s")
			require.Zero(t, code, complaint)
			for _, gone := range []string{"run " + m.deleted.ID, "run " + m.inside.ID, "logged model " + m.deletedModel.ID, "logged model " + m.inModel.ID, "experiment " + m.gone + " (goes)"} {
				require.Contains(t, out, "would remove "+gone)
			}
			require.Regexp(t, `would remove model version \d+/1 \(Registered 1\)`, out)
			require.NotContains(t, out, "Registered 3", "the newest number stays")
			require.Regexp(t, "would keep run "+m.used.ID+` .*: used by version 2 of Registered`, out)
			require.Contains(t, out, "6 to remove, 1 to keep; nothing was changed. --yes removes them for good.")
			run, err := s.client().Run(t.Context(), m.deleted.ID)
			require.NoError(t, err)
			require.Equal(t, experiment.Deleted, run.LifecycleStage)

			code, out, complaint = gc(t, s, "--older-than=0s", "--yes")
			require.Zero(t, code, complaint)
			require.Contains(t, out, "6 removed, 1 kept, 0 failed")
			requireCollected(t, s.client(), m)
			for _, want := range []string{"1 removed, 1 kept, 0 failed", "0 removed, 1 kept, 0 failed"} { // version 3 is the newest no more
				code, out, complaint = gc(t, s, "--older-than=0s", "--yes")
				require.Zero(t, code, complaint)
				require.Contains(t, out, want)
			}
			if upload != "" {
				got := s.call(t, "POST", proxyAPI+"/mpu/abort/9/run/artifacts", "application/json", `{"path":"f","upload_id":"`+upload+`"}`)
				require.Equal(t, 200, got.status, "an upload that began today is left alone: %s", got.body)
			}
			if name == "folder" {
				root := strings.TrimPrefix(s.cfg.Artifacts.URL, "file:")
				require.NoDirExists(t, filepath.Join(root, m.gone))
				require.NoDirExists(t, filepath.Join(root, m.experiment, m.deleted.ID))
			}
		})
	}
}

// TestGarbageElsewhereStays: gc removes nothing but the folders that tracking made for a run, wherever experiments point.
func TestGarbageElsewhereStays(t *testing.T) {
	s := start(t)
	root := strings.TrimPrefix(s.cfg.Artifacts.URL, "file:")
	outside := filepath.Join(s.cfg.DataDir, "outside")
	require.NoError(t, os.MkdirAll(outside, 0o750))
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "link")))
	var ids []string
	for i, location := range []string{"file://" + outside, outside, "mlflow-artifacts:/link", "gs://bucket/x", "mlflow-artifacts:/"} {
		id, err := s.client().CreateExperiment(t.Context(), experiment.NewExperiment{Name: string(rune('a' + i)), ArtifactLocation: location})
		require.NoError(t, err)
		run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(outside, run.ID, "artifacts"), 0o750))
		require.NoError(t, s.client().DeleteExperiment(t.Context(), id))
		ids = append(ids, run.ID)
	}
	require.NoError(t, s.client().PutArtifact(t.Context(), "mlflow-artifacts:/0", "others", strings.NewReader("x")))
	code, out, complaint := gc(t, s, "--older-than=0s", "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, complaint, "the files of 1 could not be removed")
	require.Regexp(t, regexp.MustCompile("failed run "+ids[2]+".*Invalid path"), out)
	for i, id := range ids {
		require.DirExists(t, filepath.Join(outside, id, "artifacts"), i)
	}
	require.Contains(t, out, "its files stay at gs://bucket/x/"+ids[3]+"/artifacts, which tracking does not keep")
	_, _, err := s.client().OpenArtifact(t.Context(), "mlflow-artifacts:/0", "others")
	require.NoError(t, err)

	code, _, complaint = gc(t, s, "--older-than=soon")
	require.NotZero(t, code)
	require.Contains(t, complaint, `"soon" is no age; write it as 30d, 12h or 0s`)
	code, _, complaint = gc(t, s, "--tracking.db=sqlite:"+filepath.Join(t.TempDir(), "none.db"))
	require.NotZero(t, code)
	require.Contains(t, complaint, "there is no tracking database")
}
