package mlflowimport_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowimport"
	"tasador/pkg/outgoing"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
	"tasador/pkg/trackingclient"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// here is a tracking store that things are imported into.
type here struct {
	store *trackingstore.Store
	files *places.Places
}

func newHere(t *testing.T, database string) here {
	t.Helper()
	files, err := places.Make(t.Context(), config.Artifacts{URL: "file:" + filepath.Join(t.TempDir(), "artifacts")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	store, err := trackingstore.Open(t.Context(), database, files.Root(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return here{store, files}
}

func (h here) imports(t *testing.T, from *trackingclient.Client) (*mlflowimport.Report, error) {
	t.Helper()
	return mlflowimport.Run(t.Context(), h.store, h.files, mlflowimport.Options{Client: from, Source: "http://source", Parallel: 3})
}

func (h here) importsAll(t *testing.T, from *trackingclient.Client) *mlflowimport.Report {
	t.Helper()
	report, err := h.imports(t, from)
	require.NoError(t, err)
	require.True(t, report.Same(), "%+v", report)
	return report
}

func (h here) content(t *testing.T, uri, name string) string {
	t.Helper()
	store, path, err := h.files.Find(uri)
	require.NoError(t, err)
	file, info, err := store.Open(t.Context(), path+"/"+name)
	require.NoError(t, err)
	content := make([]byte, info.Size)
	_, err = file.Read(content)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return string(content)
}

// there is an MLflow server whose clients keep artifacts in a folder, behind something that asks for a password and does not know logged models, as
// servers of MLflow 2.
type there struct {
	uri              string
	client           *trackingclient.Client // that may do all
	s3               *s3test.Server         // where one experiment keeps its artifacts
	run, onS3        *experiment.Run
	shared, numbered string // experiments
}

var login = outgoing.Login{Username: "ana", Password: "s3cret"}

func newThere(t *testing.T) there {
	t.Helper()
	root := t.TempDir()
	stock := testkit.StockMLflow(t, "--default-artifact-root", "file://"+root)
	target, err := url.Parse(stock)
	require.NoError(t, err)
	proxy := testkit.FullDuplex(httputil.NewSingleHostReverseProxy(target))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, basic := r.BasicAuth()
		switch {
		case (!basic || name != login.Username || password != login.Password) && r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/logged-models"):
			http.Error(w, "<!doctype html><title>404 Not Found</title>", http.StatusNotFound)
		default:
			r.Host = target.Host
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	th := there{uri: front.URL, client: trackingclient.New(stock, trackingclient.Options{}), s3: s3test.Start(t)}
	ctx := t.Context()
	th.numbered, err = th.client.CreateExperiment(ctx, experiment.NewExperiment{Name: "theirs", Tags: []experiment.Tag{{Key: "a", Value: "b"}}})
	require.NoError(t, err)
	th.shared, err = th.client.CreateExperiment(ctx, experiment.NewExperiment{
		Name: "shared", Tags: []experiment.Tag{{Key: "both", Value: "there"}, {Key: "only", Value: "there"}},
	})
	require.NoError(t, err)
	th.run, err = th.client.CreateRun(ctx, experiment.NewRun{ExperimentID: th.numbered, Name: "one", StartTime: 1_700_000_000_000})
	require.NoError(t, err)
	_, err = th.client.CreateRun(ctx, experiment.NewRun{ExperimentID: th.shared, Name: "two"})
	require.NoError(t, err)
	folder := filepath.Join(strings.TrimPrefix(th.run.ArtifactURI, "file://"), "model")
	require.NoError(t, os.MkdirAll(folder, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ñ 100%.txt"), []byte("as a client left it"), 0o600))
	_, err = th.client.CreateModel(ctx, "M", "described", []experiment.Tag{{Key: "k", Value: "v"}})
	require.NoError(t, err)
	_, err = th.client.CreateVersion(ctx, registry.NewVersion{Name: "M", Source: "runs:/" + th.run.ID + "/model", RunID: th.run.ID})
	require.NoError(t, err)
	_, err = th.client.TransitionStage(ctx, "M", "1", registry.Production, false)
	require.NoError(t, err)
	th.fillS3(t)
	return th
}

// fillS3 leaves a run with a file on S3, and versions of it and of a place that belongs to no run.
func (th *there) fillS3(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	th.s3.SetEnv(t)
	th.s3.MakeBucket(t, "theirs")
	id, err := th.client.CreateExperiment(ctx, experiment.NewExperiment{Name: "on S3", ArtifactLocation: "s3://theirs/root"})
	require.NoError(t, err)
	th.onS3, err = th.client.CreateRun(ctx, experiment.NewRun{ExperimentID: id, Name: "three"})
	require.NoError(t, err)
	th.s3.Put(t, "theirs", strings.TrimPrefix(th.onS3.ArtifactURI, "s3://theirs/")+"/deep/a.txt", []byte("on S3"))
	_, err = th.client.CreateModel(ctx, "S", "", nil)
	require.NoError(t, err)
	for _, source := range []string{th.onS3.ArtifactURI + "/deep", "s3://theirs/another/place"} {
		_, err = th.client.CreateVersion(ctx, registry.NewVersion{Name: "S", Source: source, RunID: th.onS3.ID})
		require.NoError(t, err)
	}
}

func (th there) as(who outgoing.Login) *trackingclient.Client {
	return trackingclient.New(th.uri, trackingclient.Options{Outgoing: outgoing.Options{Login: who}, S3Endpoint: th.s3.Endpoint})
}

func TestImport(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages and an S3 server")
	}
	th := newThere(t)
	testkit.OnEach(t, migrations.Dialects("tracking"), func(t *testing.T, database string) {
		h := newHere(t, database)
		ctx := t.Context()
		_, err := h.imports(t, th.as(outgoing.Login{}))
		require.Equal(t, apperror.PermissionDenied, apperror.CodeOf(err))

		// Number 1 is taken here, and there is a `shared` under another number.
		taken, err := h.store.CreateExperiment(ctx, experiment.NewExperiment{Name: "ours"})
		require.NoError(t, err)
		require.Equal(t, th.numbered, taken)
		_, err = h.store.CreateExperiment(ctx, experiment.NewExperiment{Name: "ours too"})
		require.NoError(t, err)
		shared, err := h.store.CreateExperiment(ctx, experiment.NewExperiment{Name: "shared", Tags: []experiment.Tag{{Key: "both", Value: "here"}}})
		require.NoError(t, err)

		// A registered model of the same name is in the way: it is named, and nothing is written.
		_, err = h.store.CreateModel(ctx, "M", "ours", nil)
		require.NoError(t, err)
		_, err = h.imports(t, th.as(login))
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "nothing was imported: there is a registered model M here that did not come from there; rename one of the two")
		list, err := h.store.SearchExperiments(ctx, experiment.Search{View: experiment.All})
		require.NoError(t, err)
		require.Len(t, list.Items, 4)
		_, err = h.store.Run(ctx, th.run.ID)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		require.NoError(t, h.store.DeleteModel(ctx, "M"))

		report := h.importsAll(t, th.as(outgoing.Login{Token: "t0ken"}))
		_, err = mlflowimport.Run(ctx, h.store, h.files, mlflowimport.Options{Client: th.as(login), Source: "http://another-name"})
		require.ErrorContains(t, err, "All of its runs are here: is it the server of this very database? If it was imported under another address before, say --known-as=ADDRESS")
		require.Equal(t, mlflowimport.Count{There: 2, Here: 2}, report.Counts[mlflowimport.Files])
		require.Equal(t, mlflowimport.Count{There: 24, Here: 24}, report.Counts[mlflowimport.Bytes])
		require.Equal(t, mlflowimport.Count{}, report.Counts[mlflowimport.LoggedModels])
		require.Len(t, report.Notes, 2)
		require.Contains(t, report.Notes[0], "(file://")
		require.Equal(t, "version 2 of S keeps its files at s3://theirs/another/place, which belongs to no run and no logged model; they stay there", report.Notes[1])
		theirs, err := h.store.ExperimentByName(ctx, "theirs")
		require.NoError(t, err)
		moved, err := h.store.ExperimentByName(ctx, "on S3")
		require.NoError(t, err)
		require.Equal(t, []mlflowimport.Placed{
			{SourceID: "0", ID: "0", Name: "Default", Merged: true}, {SourceID: th.numbered, ID: theirs.ID, Name: "theirs"},
			{SourceID: th.shared, ID: shared, Name: "shared", Merged: true},
			{SourceID: "3", ID: moved.ID, Name: "on S3"},
		}, report.Placed)
		merged, err := h.store.Experiment(ctx, shared)
		require.NoError(t, err)
		require.Equal(t, []experiment.Tag{{Key: "both", Value: "here"}, {Key: "only", Value: "there"}}, merged.Tags)
		run, err := h.store.Run(ctx, th.run.ID)
		require.NoError(t, err)
		require.Equal(t, theirs.ID, run.ExperimentID)
		require.Equal(t, int64(1_700_000_000_000), run.StartTime)
		require.Equal(t, "as a client left it", h.content(t, run.ArtifactURI, "model/ñ 100%.txt"))
		onS3, err := h.store.Run(ctx, th.onS3.ID)
		require.NoError(t, err)
		require.Equal(t, "on S3", h.content(t, onS3.ArtifactURI, "deep/a.txt"))
		for version, want := range map[string]string{"1": onS3.ArtifactURI + "/deep", "2": "s3://theirs/another/place"} {
			location, err := h.store.DownloadURI(ctx, "S", version)
			require.NoError(t, err)
			require.Equal(t, want, location)
		}
		moves, _, err := h.store.Moves(ctx, "M", trackingstore.MoveQuery{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, registry.Actor{Via: registry.ViaImport, Address: "http://source", Agent: "tasador import-mlflow"}, moves[0].By)
		require.Equal(t, "Production", moves[0].To)

		// Numbers that were given are not given again.
		next, err := h.store.CreateExperiment(ctx, experiment.NewExperiment{Name: "next"})
		require.NoError(t, err)
		require.NotContains(t, []string{taken, shared, theirs.ID}, next)

		// What was done here since stays while nothing changes there; a version that was made here keeps another of its number out.
		_, err = h.store.TransitionStage(ctx, "M", "1", registry.Archived, false)
		require.NoError(t, err)
		require.NoError(t, h.store.LogBatch(ctx, run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "logged here", Value: 1}}}))
		h.importsAll(t, th.as(login))
		version, err := h.store.Version(ctx, "M", "1")
		require.NoError(t, err)
		require.Equal(t, registry.Archived, version.Stage)

		// Another address is another server, until it is said that it is the same.
		_, err = mlflowimport.Run(ctx, h.store, h.files, mlflowimport.Options{Client: th.as(login), Source: "http://elsewhere"})
		require.ErrorContains(t, err, "there is a run "+th.run.ID+" here that did not come from there")
		require.ErrorContains(t, err, "--known-as=ADDRESS")
	})
}

// An experiment keeps a number that is free, and the databases do not give that number to the next one.
func TestFreeNumbersAreKept(t *testing.T) {
	testkit.OnEach(t, migrations.Dialects("tracking"), func(t *testing.T, database string) {
		h := newHere(t, database)
		to := h.store.Import("http://source")
		for _, id := range []string{"2", "7", "123456789012345678"} {
			got, merged, err := to.PutExperiment(t.Context(), experiment.Experiment{ID: id, Name: "e" + id, LifecycleStage: experiment.Active, CreationTime: 5, LastUpdateTime: 6})
			require.NoError(t, err)
			require.False(t, merged)
			require.Equal(t, id, got)
		}
		for _, id := range []string{"9223372036854775807", "no number", "-1"} {
			got, _, err := to.PutExperiment(t.Context(), experiment.Experiment{ID: id, Name: "e" + id, LifecycleStage: experiment.Deleted})
			require.NoError(t, err)
			e, err := h.store.Experiment(t.Context(), got)
			require.NoError(t, err)
			require.Equal(t, "e"+id, e.Name)
			require.Equal(t, experiment.Deleted, e.LifecycleStage)
			require.Equal(t, "mlflow-artifacts:/"+got, strings.Replace(e.ArtifactLocation, ":///", ":/", 1))
		}
		id, err := h.store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: "new"})
		require.NoError(t, err)
		require.NotContains(t, []string{"2", "7", "123456789012345678"}, id)
	})
}

// A file that comes shorter or longer than it was listed is not taken for whole.
func TestAFileThatBreaksOffIsNamed(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	answers := map[string]any{
		"/api/2.0/mlflow/experiments/search": map[string]any{"experiments": []any{map[string]any{
			"experiment_id": "0", "name": "Default", "artifact_location": "mlflow-artifacts:/0", "lifecycle_stage": "active",
		}}},
		"/api/2.0/mlflow/runs/search": map[string]any{"runs": []any{map[string]any{"info": map[string]any{"run_id": id}}}},
		"/api/2.0/mlflow/runs/get": map[string]any{"run": map[string]any{"info": map[string]any{
			"run_id": id, "experiment_id": "0", "status": "FINISHED", "lifecycle_stage": "active", "artifact_uri": "mlflow-artifacts:/0/" + id + "/artifacts",
		}}},
		"/api/2.0/mlflow-artifacts/artifacts": map[string]any{"files": []any{
			map[string]any{"path": "short", "is_dir": false, "file_size": 10}, map[string]any{"path": "long", "is_dir": false, "file_size": 3},
			map[string]any{"path": "whole", "is_dir": false, "file_size": 4},
		}},
		"/api/2.0/mlflow/registered-models/search": map[string]any{}, "/api/2.0/mlflow/model-versions/search": map[string]any{},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		switch {
		case known:
			_ = json.NewEncoder(w).Encode(answer)
		case strings.HasPrefix(r.URL.Path, "/api/2.0/mlflow-artifacts/artifacts/0/"+id):
			_, _ = w.Write([]byte("four"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	h := newHere(t, testkit.NewDatabase(t, testkit.SQLiteEngine))
	report, err := h.imports(t, trackingclient.New(server.URL, trackingclient.Options{}))
	require.NoError(t, err)
	require.False(t, report.Same())
	require.ElementsMatch(t, []string{
		"run " + id + ": the artifact short was not copied: 4 bytes of short came, and it has 10",
		"run " + id + ": the artifact long was not copied: 4 bytes of long came, and it has 3",
	}, report.Missing)
	require.Equal(t, mlflowimport.Count{There: 3, Here: 1}, report.Counts[mlflowimport.Files])
	require.Equal(t, mlflowimport.Count{There: 17, Here: 4}, report.Counts[mlflowimport.Bytes])
	run, err := h.store.Run(t.Context(), id)
	require.NoError(t, err)
	store, path, err := h.files.Find(run.ArtifactURI)
	require.NoError(t, err)
	list, err := store.List(t.Context(), path)
	require.NoError(t, err)
	require.Len(t, list, 1, "half a file is none")
}
