package tracking_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// kept is what mlflow_artifacts.py prints.
type kept struct {
	Run         string `json:"run"`
	Location    string `json:"location"`
	ArtifactURI string `json:"artifact_uri"`
	SHA256      string `json:"sha256"`
}

func keepFromPython(t *testing.T, uri, size string) kept {
	t.Helper()
	out := python(t, "mlflow_artifacts.py", uri, size)
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var made kept
	require.NoError(t, json.Unmarshal(lines[len(lines)-1], &made), "%s", out)
	return made
}

// TestRootFolder: experiments name a folder that clients write to themselves. The Python client does; tasador's own go through the server,
// which reads the same folder for its pages.
func TestRootFolder(t *testing.T) {
	cfg := newConfig(t)
	folder := filepath.Join(t.TempDir(), "shared ü")
	cfg.Artifacts.URL, cfg.Artifacts.Root = "", "file:"+folder
	cfg.SetDefaults(nil)
	s := startWith(t, cfg)
	transferArtifacts(t, s.client())

	if testing.Short() {
		return
	}
	made := keepFromPython(t, s.uri, "100000")
	require.True(t, strings.HasPrefix(made.Location, "file:///"), made.Location)
	require.FileExists(t, filepath.Join(folder, filepath.Base(made.Location), made.Run, "artifacts", "large.bin"))
	require.JSONEq(t, `{"root_uri":"`+made.ArtifactURI+`","files":[{"path":"deep/er/note.txt","is_dir":false,"file_size":4}]}`,
		s.call(t, "GET", "/api/2.0/mlflow/artifacts/list?run_id="+made.Run+"&path=deep/er", "", "").body)
	require.Contains(t, s.call(t, "GET", "/runs/"+made.Run+"/artifacts?path=deep/er&file=note.txt", "", "").body, "<code>note</code>")
	require.Equal(t, "note", s.call(t, "GET", "/get-artifact?run_id="+made.Run+"&path=deep/er/note.txt", "", "").body)
	require.NoError(t, s.client().DownloadFolder(t.Context(), "models:/Kept/Production", t.TempDir()))
}

// TestRootFolderKeepsOthersOut: a folder that clients write to makes no other file of the machine readable or registrable.
func TestRootFolderKeepsOthersOut(t *testing.T) {
	cfg := newConfig(t)
	folder := filepath.Join(cfg.DataDir, "shared")
	cfg.Artifacts.Root = "file:" + folder
	s := startWith(t, cfg)
	client := s.client()
	outside := filepath.Join(cfg.DataDir, "outside")
	require.NoError(t, os.MkdirAll(outside, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(folder, "link")))
	_, err := client.CreateModel(t.Context(), "m", "", nil)
	require.NoError(t, err)
	own, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.Equal(t, "file://"+folder+"/0/"+own.ID+"/artifacts", own.ArtifactURI)

	// An experiment may name any folder of its clients, and one that leads out through a link; the server reads neither.
	for i, location := range []string{"file://" + outside, outside, "file://" + folder + "/link", "file://" + folder + "-more"} {
		id, err := client.CreateExperiment(t.Context(), experiment.NewExperiment{Name: string(rune('a' + i)), ArtifactLocation: location})
		require.NoError(t, err)
		run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		dir := filepath.Join(outside, run.ID, "artifacts")
		require.NoError(t, os.MkdirAll(dir, 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
		for _, path := range []string{
			"/get-artifact?path=secret&run_id=" + run.ID, "/api/2.0/mlflow/artifacts/list?run_id=" + run.ID,
		} {
			got := s.call(t, "GET", path, "", "")
			require.Equal(t, http.StatusBadRequest, got.status, "%s %s: %s", location, path, got.body)
			require.Equal(t, "INVALID_PARAMETER_VALUE", got.code)
			require.NotContains(t, got.body, `"secret"`)
		}
		if location != "file://"+folder+"/link" {
			got := s.post(t, "model-versions/create", `{"name":"m","source":"`+run.ArtifactURI+`","run_id":"`+run.ID+`"}`)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Contains(t, got.text, "Invalid model version source")
		}
	}
	for _, source := range []string{
		"file:///etc", "file://" + folder, "file://" + folder + "/0", "file://" + folder + "/0/other/artifacts", own.ArtifactURI + "/../x",
		own.ArtifactURI + "/%2e%2e/x", own.ArtifactURI + "/%252e%252e/x", "file://host" + folder + "/0/" + own.ID + "/artifacts", folder + "/0", "relative",
		own.ArtifactURI + "#x", own.ArtifactURI + "?x", `file://` + folder + `\\..`,
	} {
		got := s.post(t, "model-versions/create", `{"name":"m","source":"`+source+`","run_id":"`+own.ID+`","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}`)
		require.Equal(t, http.StatusBadRequest, got.status, "%s: %s", source, got.body)
		require.Equal(t, "INVALID_PARAMETER_VALUE", got.code)
	}
	plain := strings.TrimPrefix(own.ArtifactURI, "file://")
	require.NoError(t, os.MkdirAll(filepath.Join(plain, "model"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(plain, "model", "MLmodel"), []byte("x"), 0o600))
	for i, source := range []string{own.ArtifactURI + "/model", own.ArtifactURI + "/model/.", own.ArtifactURI + "/x/../model", plain + "/model", own.ArtifactURI + "//model/"} {
		got := s.post(t, "model-versions/create", `{"name":"m","source":"`+source+`","run_id":"`+own.ID+`"}`)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Contains(t, got.body, `"source":"`+source+`"`)
		got = s.call(t, "GET", fmt.Sprintf("/model-versions/get-artifact?name=m&version=%d&path=MLmodel", i+1), "", "")
		require.Equal(t, "x", got.body, source)
		got = s.post(t, "model-versions/create", `{"name":"m","source":"`+source+`"}`)
		require.Equal(t, http.StatusBadRequest, got.status, "%s without its run", source)
		require.Contains(t, got.text, "the run_id request parameter has to be specified")
	}
}

// TestRootOnS3: experiments name a bucket. tasador's own clients reach it through the server, or, where other artifacts are behind its
// proxy, themselves.
func TestRootOnS3(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	for name, proxied := range map[string]bool{"through the server": true, "past the server": false} {
		t.Run(name, func(t *testing.T) {
			remote := s3test.Start(t)
			remote.SetEnv(t)
			t.Setenv("AWS_ENDPOINT_URL", remote.Endpoint)
			remote.MakeBucket(t, "mlflows3")
			cfg := newConfig(t)
			cfg.Artifacts.Root = "s3://mlflows3/artifacts"
			if proxied {
				cfg.Artifacts.URL = cfg.Artifacts.Root
			}
			s := startWith(t, cfg)
			run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
			require.NoError(t, err)
			require.Equal(t, "s3://mlflows3/artifacts/0/"+run.ID+"/artifacts", run.ArtifactURI)
			transferArtifacts(t, s.client())

			require.NoError(t, s.client().PutArtifact(t.Context(), run.ArtifactURI, "deep/note.txt", strings.NewReader("note")))
			require.Equal(t, []byte("note"), remote.Get(t, "mlflows3", "artifacts/0/"+run.ID+"/artifacts/deep/note.txt"))
			require.Equal(t, "note", s.call(t, "GET", "/get-artifact?run_id="+run.ID+"&path=deep/note.txt", "", "").body)
			require.Contains(t, s.call(t, "GET", "/runs/"+run.ID+"/artifacts?path=deep&file=note.txt", "", "").body, "<code>note</code>")

			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
			t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
			_, _, err = s.client().OpenArtifact(t.Context(), run.ArtifactURI, "deep/note.txt")
			if proxied {
				require.NoError(t, err, "clients need no keys")
				return
			}
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
			require.ErrorContains(t, err, "cannot reach the artifacts at "+run.ArtifactURI+": there are no access keys of S3; set AWS_ACCESS_KEY_ID")
		})
	}
}

// TestPythonClientWritesToS3Itself: experiments name a bucket, and the Python client moves files with boto3, past the server and with keys of
// its own. The server is told that place by its own setting, and reads it for its pages and calls.
func TestPythonClientWritesToS3Itself(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages and the S3 server that make test builds")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	t.Setenv("MLFLOW_S3_ENDPOINT_URL", remote.Endpoint) // for the client; the server has its setting
	testkit.OnEach(t, migrations.Dialects("tracking"), func(t *testing.T, url string) {
		bucket := "root-" + path.Base(t.Name())
		remote.MakeBucket(t, bucket)
		cfg := newConfig(t)
		cfg.Tracking.DB, cfg.Artifacts.URL, cfg.Artifacts.Root, cfg.Artifacts.Endpoint = url, "", "s3://"+bucket+"/artifacts", remote.Endpoint
		cfg.SetDefaults(nil)
		s := startWith(t, cfg)
		made := keepFromPython(t, s.uri, "12000000") // boto3 sends what has more than 8 MiB in parts
		require.Equal(t, "s3://"+bucket+"/artifacts/"+path.Base(made.Location), made.Location)
		require.Equal(t, made.Location+"/"+made.Run+"/artifacts", made.ArtifactURI)
		sum := sha256.Sum256(remote.Get(t, bucket, strings.TrimPrefix(made.ArtifactURI, "s3://"+bucket+"/")+"/large.bin"))
		require.Equal(t, made.SHA256, hex.EncodeToString(sum[:]))

		require.JSONEq(t, `{"root_uri":"`+made.ArtifactURI+`","files":[{"path":"deep/er/note.txt","is_dir":false,"file_size":4}]}`,
			s.call(t, "GET", "/api/2.0/mlflow/artifacts/list?run_id="+made.Run+"&path=deep/er", "", "").body)
		require.Equal(t, "note", s.call(t, "GET", "/get-artifact?run_id="+made.Run+"&path=deep/er/note.txt", "", "").body)
		require.NoError(t, s.client().DownloadFolder(t.Context(), "models:/Kept/Production", t.TempDir()))
	})
}
