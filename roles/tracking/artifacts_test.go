package tracking_test

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

func TestArtifacts(t *testing.T) { transferArtifacts(t, start(t).client()) }

// transferArtifacts stores a folder as a logged model and reads it back by every name that it has.
func transferArtifacts(t *testing.T, client *trackingclient.Client) {
	ctx := t.Context()
	id, err := client.CreateExperiment(ctx, experiment.NewExperiment{Name: "artifacts " + experiment.RandomName()})
	require.NoError(t, err)
	run, err := client.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
	require.NoError(t, err)
	model, err := client.CreateLoggedModel(ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "m", SourceRunID: run.ID})
	require.NoError(t, err)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	files := map[string][]byte{"MLmodel": []byte("flavors: {}\n"), "deep/er/model.onnx": large, "a name ü 100%.txt": {}, "deep/b": []byte("b")}
	for name, content := range files {
		require.NoError(t, client.PutArtifact(ctx, model.ArtifactURI, name, bytes.NewReader(content)), name)
	}
	name := "model " + experiment.RandomName()
	_, err = client.CreateModel(ctx, name, "", nil)
	require.NoError(t, err)
	version, err := client.CreateVersion(ctx, registry.NewVersion{Name: name, Source: "models:/" + model.ID, ModelID: model.ID})
	require.NoError(t, err)
	_, err = client.TransitionStage(ctx, name, version.Version, registry.Production, true)
	require.NoError(t, err)
	require.NoError(t, client.SetAlias(ctx, name, "champion", version.Version))

	for _, uri := range []string{
		model.ArtifactURI, "models:/" + model.ID, "models:/" + name + "/1", "models:/" + name + "/production", "models:/" + name + "/latest",
		"models:/" + name + "@champion",
	} {
		dir := filepath.Join(t.TempDir(), "to be made")
		require.NoError(t, client.DownloadFolder(ctx, uri, dir), uri)
		for name, content := range files {
			got, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got), name)
		}
	}
	list, err := client.ListArtifacts(ctx, model.ArtifactURI, "deep")
	require.NoError(t, err)
	require.ElementsMatch(t, []artifact.Info{{Path: "deep/b", Size: 1}, {Path: "deep/er", IsDir: true}}, list)
	list, err = client.ListArtifacts(ctx, model.ArtifactURI, "missing")
	require.NoError(t, err)
	require.Empty(t, list)

	require.NoError(t, client.PutArtifact(ctx, run.ArtifactURI, "notes/one.txt", strings.NewReader("first")))
	require.NoError(t, client.PutArtifact(ctx, run.ArtifactURI, "notes/one.txt", strings.NewReader("second")))
	body, info, err := client.OpenArtifact(ctx, "runs:/"+run.ID+"/notes", "one.txt")
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "second", string(text))
	require.EqualValues(t, 6, info.Size)

	_, _, err = client.OpenArtifact(ctx, run.ArtifactURI, "missing.txt")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%v", err)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(client.DownloadFolder(ctx, run.ArtifactURI+"/none", t.TempDir())))
	for _, name := range []string{"../up", "/abs", "a/../../b", `a\b`, ""} {
		err := client.PutArtifact(ctx, run.ArtifactURI, name, strings.NewReader("x"))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", name, err)
	}
	for _, uri := range []string{"file:///etc", "/etc", "dbfs:/x"} {
		_, _, err = client.OpenArtifact(ctx, uri, "x")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, uri)
	}
}

// TestDotsInPaths: MLflow's client asks for the folder "." of a run; dots and doubled slashes that stay where they are change nothing.
func TestDotsInPaths(t *testing.T) {
	s := start(t)
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, s.client().PutArtifact(t.Context(), run.ArtifactURI, "d/f", strings.NewReader("x")))
	folder := strings.TrimPrefix(run.ArtifactURI, "mlflow-artifacts:/")
	for _, path := range []string{"/d/.", "/./d", "//d", "/d", "/d/"} {
		got := s.call(t, "GET", proxyAPI+"/artifacts?path="+folder+path, "", "")
		require.JSONEq(t, `{"files":[{"path":"f","is_dir":false,"file_size":1}]}`, got.body, path)
	}
	for _, address := range []string{
		proxyAPI + "/artifacts/" + folder + "/./d//f", "/get-artifact?run_id=" + run.ID + "&path=./d/./f", "/get-artifact?run_id=" + run.ID + "&path=d//f",
	} {
		require.Equal(t, "x", s.call(t, "GET", address, "", "").body, address)
	}
	got := s.call(t, "GET", "/api/2.0/mlflow/artifacts/list?run_id="+run.ID+"&path=.", "", "")
	require.JSONEq(t, `{"root_uri":"`+run.ArtifactURI+`","files":[{"path":"d","is_dir":true}]}`, got.body)
	got = s.call(t, "DELETE", proxyAPI+"/artifacts/.", "", "")
	require.Equal(t, 400, got.status, got.body)
}

// TestInvalidPaths: clients compare the whole answer, and nothing is looked up before.
func TestInvalidPaths(t *testing.T) {
	s := start(t)
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	for _, address := range []string{
		"/get-artifact?run_id=" + run.ID + "&path=../x", "/api/2.0/mlflow/artifacts/list?run_id=" + run.ID + "&path=../x", proxyAPI + "/artifacts?path=a/./../../x",
		"/model-versions/get-artifact?name=none&version=1&path=../x", "//model-versions/get-artifact?name=none&version=1&path=../x",
	} {
		got := s.call(t, "GET", address, "", "")
		require.Equal(t, 400, got.status, address)
		require.JSONEq(t, `{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid path"}`, got.body, address)
	}
	got := s.call(t, "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid="+run.ID+"&path=../x", "", "")
	require.JSONEq(t, `{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid path"}`, got.body, "before it is said that nothing was sent")
}

// TestTypesOfDownloads: those of MLflow's server, but for what browsers would run.
func TestTypesOfDownloads(t *testing.T) {
	s := start(t)
	for name, want := range map[string]string{
		"a.txt": "text/plain", "MLmodel": "text/plain", "MLproject": "text/plain", "conda.yaml": "text/plain", "x.json": "text/plain", "x.py": "text/plain", "x.JS": "text/plain",
		"b.pkl": "application/octet-stream", "c.png": "image/png", "d.pdf": "application/pdf", "none": "application/octet-stream", ".txt": "text/plain",
		"e.html": "application/octet-stream", "e.svg": "application/octet-stream", "e.xhtml": "application/octet-stream", "e.mjs": "application/octet-stream",
	} {
		require.NoError(t, s.client().PutArtifact(t.Context(), "mlflow-artifacts:/0", name, strings.NewReader("x")))
		got := s.call(t, "GET", proxyAPI+"/artifacts/0/"+name, "", "")
		require.Equal(t, want, got.header.Get("Content-Type"), name)
		require.Equal(t, "attachment; filename="+name, got.header.Get("Content-Disposition"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	}
}

// TestPicturesOfClients: MLflow's clients put signs of percent into the names of pictures, which are no encoding.
func TestPicturesOfClients(t *testing.T) {
	s := start(t)
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	const name = "dog%step%100%timestamp%1795657241421%d3644f1a.png"
	require.NoError(t, s.client().PutArtifact(t.Context(), run.ArtifactURI, "images/"+name, strings.NewReader("x")))
	got := s.call(t, "GET", "/api/2.0/mlflow/artifacts/list?path=images&run_id="+run.ID, "", "")
	require.Contains(t, got.body, `{"path":"images/`+name+`","is_dir":false,"file_size":1}`)
	got = s.call(t, "GET", "/get-artifact?run_id="+run.ID+"&path="+url.QueryEscape("images/"+name), "", "")
	require.Equal(t, "x", got.body)
	require.Equal(t, "attachment; filename="+name, got.header.Get("Content-Disposition"))
	require.NoError(t, s.client().DownloadFolder(t.Context(), run.ArtifactURI, t.TempDir()))
}
