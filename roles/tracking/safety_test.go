package tracking_test

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/roles/tracking"
)

// attack is one request that once went through on an MLflow server, and what it has to get here. {run} and {model} stand for ids of the
// attacker's own run and logged model, {other} for the id of a run of others.
type attack struct {
	cve    string
	call   string // method and path
	body   string
	header []string
	status int
	code   string
}

const (
	mlflowAPI = "/api/2.0/mlflow/"
	invalid   = "INVALID_PARAMETER_VALUE"
	unknown   = "ENDPOINT_NOT_FOUND"
)

// version is an attack that registers a source.
func version(cve, source, more string) attack {
	return attack{cve, "POST " + mlflowAPI + "model-versions/create", `{"name":"m","source":"` + source + `"` + more + `}`, nil, 400, invalid}
}

// place is an attack that makes an experiment with its artifacts somewhere.
func place(cve, location string) attack {
	return attack{cve, "POST " + mlflowAPI + "experiments/create", `{"name":"x","artifact_location":"` + location + `"}`, nil, 400, invalid}
}

// attacks are those of the public list of MLflow's holes that concern a tracking server.
func attacks() []attack {
	list := []attack{
		version("CVE-2023-1177", "/etc", ""),
		version("CVE-2023-1177", "file:///etc", ""),
		version("CVE-2023-1177", "file:///", `,"run_id":"{run}"`),
		{"CVE-2023-1177", "GET /model-versions/get-artifact?name=m&version=1&path=passwd", "", nil, 404, "RESOURCE_DOES_NOT_EXIST"},
		{"CVE-2023-1177", "GET /get-artifact?run_id={run}&path=/etc/passwd", "", nil, 400, invalid},
		{"CVE-2023-1176", "GET /get-artifact?run_id={run}&path=../../../../secret", "", nil, 400, invalid},
		version("CVE-2023-1176", "/etc/passwd", `,"run_id":"{run}"`),
		version("CVE-2023-1176", "./relative", ""),
		version("CVE-2023-2356", "http://127.0.0.1/a/../../etc", ""),
		version("CVE-2023-2356", "mlflow-artifacts:/0/{run}/artifacts/../../../etc", `,"run_id":"{run}"`),
		version("CVE-2023-2356", "mlflow-artifacts://host/0/../../etc", `,"run_id":"{run}"`),
		version("CVE-2023-2356", "s3://bucket/a/../../etc", ""),
		version("CVE-2023-2356", "ftp://host/a/../../etc", ""),
		version("CVE-2023-2780", `file:\\\\..\\..\\etc`, ""),
		version("CVE-2023-2780", `file://\\..\\etc`, ""),
		version("CVE-2023-2780", `mlflow-artifacts:/0/{run}/artifacts/..\\..\\etc`, `,"run_id":"{run}"`),
		{"CVE-2023-3765", "GET " + proxyAPI + "/artifacts?path=C:/Windows", "", nil, 400, invalid},
		{"CVE-2023-3765", "GET " + proxyAPI + "/artifacts?path=%5C%5Chost%5Cshare", "", nil, 400, invalid},
		{"CVE-2023-3765", "GET " + proxyAPI + "/artifacts/C:%5CWindows%5Cwin.ini", "", nil, 400, invalid},
		{"CVE-2023-43472", "POST " + mlflowAPI + "experiments/update", `{"experiment_id":"0","new_name":"taken"}`, []string{"Content-Type", "text/plain"}, 400, invalid},
		{"CVE-2023-43472", "POST " + mlflowAPI + "experiments/update", `{"experiment_id":"0","new_name":"taken"}`, []string{"Content-Type", ""}, 400, invalid},
		{"CVE-2023-43472", "POST " + mlflowAPI + "experiments/update", `{"experiment_id":"0","new_name":"taken"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, invalid},
		{"CVE-2023-43472", "POST " + mlflowAPI + "experiments/update", `{"experiment_id":"0","new_name":"taken"}`, []string{"Origin", "http://evil.example"}, 403, ""},
		{"CVE-2023-43472", "PUT " + proxyAPI + "/artifacts/0/own/file", "overwritten", []string{"Origin", "http://evil.example"}, 403, ""},
		{"CVE-2023-6014", "POST " + mlflowAPI + "users/create", `{"username":"admin2","password":"0123456789ab"}`, nil, 404, unknown},
		{"CVE-2024-8859", "GET /get-artifact?run_id={run}&path=a%253f/../../secret", "", nil, 400, invalid},
		version("CVE-2024-8859", "dbfs:/a%3f/../../etc", ""),
		place("CVE-2024-8859", "dbfs:/a%3f/../../etc"),
		{"CVE-2024-6838", "POST " + mlflowAPI + "experiments/create", `{"name":"` + strings.Repeat("x", 501) + `"}`, nil, 400, invalid},
		{"CVE-2024-6838", "POST " + mlflowAPI + "experiments/create", `{"name":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 400, invalid},
		place("CVE-2024-6838", "mlflow-artifacts:/"+strings.Repeat("x", 2048)),
		{"CVE-2024-3099", "POST " + mlflowAPI + "registered-models/create", `{"name":"a/b"}`, nil, 400, invalid},
		{"CVE-2024-3099", "POST " + mlflowAPI + "registered-models/create", `{"name":"a:b"}`, nil, 400, invalid},
		{"CVE-2024-3099", "POST " + mlflowAPI + "registered-models/create", `{"name":"  "}`, nil, 400, invalid},
		{"CVE-2024-3099", "POST " + mlflowAPI + "registered-models/create", `{"name":".."}`, nil, 400, invalid},
		{"CVE-2025-0453", "POST /graphql", `{"query":"{a:mlflowGetRun{run{info{runId}}} b:mlflowGetRun{run{info{runId}}}}"}`, nil, 404, unknown},
		{"CVE-2025-1473", "POST /signup", `{"username":"u"}`, nil, 404, unknown},
		{"CVE-2025-1474", "POST " + mlflowAPI + "users/create", `{"username":"u","password":""}`, nil, 404, unknown},
		{"CVE-2025-11200", "PATCH " + mlflowAPI + "users/update-password", `{"username":"admin","password":"x"}`, nil, 404, unknown},
		version("CVE-2025-11201", "models:/../../etc", ""),
		version("CVE-2025-11201", "runs:/{run}/../../../etc", `,"run_id":"{run}"`),
		version("CVE-2025-11201", "mlflow-artifacts:/0/{other}/artifacts", `,"run_id":"{run}"`),
		version("CVE-2025-11201", "mlflow-artifacts:/0/{other}/artifacts", `,"model_id":"{model}"`),
		{"CVE-2025-14279", "GET " + mlflowAPI + "experiments/get?experiment_id=0", "", []string{"Host", "evil.example"}, 403, ""},
		{"CVE-2025-14279", "GET " + mlflowAPI + "experiments/get?experiment_id=0", "", []string{"Host", "evil.example:5000"}, 403, ""},
		{"CVE-2025-14279", "GET /", "", []string{"Host", "127.0.0.1.evil.example"}, 403, ""},
		{"CVE-2026-2393", "POST " + mlflowAPI + "webhooks/create", `{"name":"w","url":"http://169.254.169.254/"}`, nil, 404, unknown},
		{"CVE-2026-2393", "POST /api/2.0/mlflow/webhooks", `{"name":"w","url":"http://169.254.169.254/"}`, nil, 404, unknown},
		version("CVE-2026-2614", "file:///etc", `,"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]`),
		version("CVE-2026-2614", "/etc", `,"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]`),
		version("CVE-2026-2614", "dummy-source/../../etc", `,"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]`),
		{"CVE-2026-2652", "POST /ajax-api/3.0/jobs/", `{}`, nil, 404, unknown},
		{"CVE-2026-0545", "POST /ajax-api/3.0/jobs/search", `{}`, nil, 404, unknown},
		{"CVE-2026-2652", "POST /v1/traces", `{}`, nil, 404, unknown},
		{"CVE-2026-33866", "GET /ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path=../../../../secret", "", nil, 400, invalid},
		{"CVE-2026-33866", "GET /ajax-api/2.0/mlflow/logged-models/..%2f..%2fx/artifacts/files?artifact_file_path=secret", "", nil, 404, "RESOURCE_DOES_NOT_EXIST"},
	}
	for _, location := range []string{"s3://b/a#../x", "s3://b/a%23../x", `mlflow-artifacts:/a\\b`, "mlflow-artifacts:/1/#/../../x"} {
		list = append(list, place("CVE-2023-6909", location), version("CVE-2023-6977", location, `,"run_id":"{run}"`))
	}
	for _, url := range []string{"http://{listener}/model", "https://{listener}/model", "ftp://{listener}/model"} { // nobody may call there
		list = append(list, version("CVE-2023-6974", url, ""), version("CVE-2023-6975", url, `,"run_id":"{run}"`), place("CVE-2023-6976", url))
	}
	for cve, uri := range map[string]string{
		"CVE-2024-1483": "s3://b/a?x=/../../etc", "CVE-2024-1558": "s3://b/a;/../../etc", "CVE-2024-1594": "s3://b/a#/../../etc", "CVE-2024-1593": "s3://b/;..%2f..%2fetc",
		"CVE-2024-2928": "http:///#/../../etc", "CVE-2024-3848": "s3://b/#../../etc",
	} {
		list = append(list, place(cve, uri), version(cve, uri, `,"run_id":"{run}"`))
	}
	for _, source := range []string{"file://localhost/etc", "file://127.0.0.1/etc", "//host/etc", "etc", "FILE:/etc", "file:etc", "///etc", ""} {
		list = append(list, version("CVE-2024-3573", source, `,"run_id":"{run}"`))
	}
	return append(list, pathAttacks()...)
}

// pathAttacks name files outside of the artifacts on every route that takes a path, encoded up to four times.
func pathAttacks() []attack {
	var list []attack
	add := func(cve, call, body string) { list = append(list, attack{cve, call, body, nil, 400, invalid}) }
	for _, path := range []string{
		"../secret", "%2e%2e/secret", "%2e%2e%2fsecret", "%252e%252e%252fsecret", "%25252e%25252e%25252fsecret", "%2525252e%2525252e%2525252fsecret", "a/../../secret",
		"a/%2e%2e/%2e%2e/secret", "..%5csecret", "%2fetc/passwd", "a%00", "a%23b", "a%0ab",
	} {
		add("CVE-2023-6015", "PUT "+proxyAPI+"/artifacts/"+path, "overwritten")
		add("CVE-2023-6018", "PUT /ajax-api/2.0/mlflow-artifacts/artifacts/"+path, "overwritten")
		add("CVE-2023-6831", "DELETE "+proxyAPI+"/artifacts/"+path, "")
		add("CVE-2024-1560", "DELETE "+proxyAPI+"/artifacts/0/"+path+"/../..", "")
		add("CVE-2023-1177", "GET "+proxyAPI+"/artifacts/"+path, "")
		for _, call := range []string{"create", "complete", "abort"} {
			add("CVE-2026-2651", "POST "+proxyAPI+"/mpu/"+call+"/"+path, `{"path":"f","num_parts":1,"upload_id":"u","parts":[{"part_number":1,"etag":"e"}]}`)
		}
		add("CVE-2026-2651", "GET "+proxyAPI+"/presigned/"+path, "")
	}
	return list
}

// TestKnownHolesAreClosed makes every attack on a server with a folder and on one with S3: it is refused with the stated answer, and afterwards
// nothing is different, inside and outside.
func TestKnownHolesAreClosed(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		s := start(t)
		root := strings.TrimPrefix(s.cfg.Artifacts.URL, "file:")
		require.NoError(t, os.Symlink(s.cfg.DataDir, filepath.Join(root, "linked")))
		require.NoError(t, os.Symlink(filepath.Join(s.cfg.DataDir, "secret"), filepath.Join(root, "link")))
		attackAll(t, s, append(attacks(), linkAttacks()...))
	})
	if !testing.Short() {
		t.Run("s3", func(t *testing.T) { s, _ := startS3(t); attackAll(t, s, attacks()) })
	}
}

// linkAttacks go through symbolic links that lead out of the folder (MLflow's fix 6fd54de59).
func linkAttacks() []attack {
	var list []attack
	for _, call := range []string{
		"GET " + proxyAPI + "/artifacts/linked/secret", "GET " + proxyAPI + "/artifacts/link", "GET " + proxyAPI + "/artifacts?path=linked",
		"PUT " + proxyAPI + "/artifacts/linked/secret", "PUT " + proxyAPI + "/artifacts/linked/new", "DELETE " + proxyAPI + "/artifacts/linked/secret",
		"DELETE " + proxyAPI + "/artifacts/linked/artifacts",
	} {
		list = append(list, attack{"symlink", call, "", nil, 400, invalid})
	}
	return list
}

func attackAll(t *testing.T, s server, attacks []attack) {
	t.Helper()
	ctx, client := t.Context(), s.client()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	called := make(chan struct{}, 100)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
			called <- struct{}{}
		}
	}()
	require.NoError(t, os.WriteFile(filepath.Join(s.cfg.DataDir, "secret"), []byte("secret"), 0o600))
	own, err := client.CreateRun(ctx, experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	other, err := client.CreateRun(ctx, experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	model, err := client.CreateLoggedModel(ctx, experiment.NewLoggedModel{ExperimentID: "0", SourceRunID: own.ID})
	require.NoError(t, err)
	_, err = client.CreateModel(ctx, "m", "", nil)
	require.NoError(t, err)
	for _, uri := range []string{own.ArtifactURI, other.ArtifactURI, model.ArtifactURI, "mlflow-artifacts:/0/own"} {
		require.NoError(t, client.PutArtifact(ctx, uri, "file", strings.NewReader("kept")))
	}
	before := standing(t, s)
	names := strings.NewReplacer("{run}", own.ID, "{other}", other.ID, "{model}", model.ID, "{listener}", listener.Addr().String())
	for _, a := range attacks {
		method, path, _ := strings.Cut(names.Replace(a.call), " ")
		got := s.callWith(t, method, path, names.Replace(a.body), a.header...)
		shown := fmt.Sprintf("%s: %s %.200s: %d %.300s", a.cve, a.call, a.body, got.status, got.body)
		require.Equal(t, a.status, got.status, shown)
		require.NotContains(t, got.body, "root:", shown)
		if a.code != "" {
			require.Equal(t, a.code, got.code, shown)
			require.NotEmpty(t, got.text, shown)
		}
	}
	require.Empty(t, called, "the server called an address that a client named")
	require.Equal(t, before, standing(t, s))
	versions, err := client.LatestVersions(ctx, "m", nil)
	require.NoError(t, err)
	require.Empty(t, versions)
}

// callWith is call with headers in pairs; a body is JSON unless they say otherwise.
func (s server) callWith(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.uri, strings.NewReader(body))
	require.NoError(t, err)
	opaque, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = strings.TrimPrefix(s.uri, "http:")+opaque, query
	req.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(header, 2) {
		switch {
		case pair[0] == "Host":
			req.URL.Opaque = "" // the request line would name the host
			req.URL.Path, req.Host = opaque, pair[1]
		case pair[1] == "":
			req.Header.Del(pair[0])
		default:
			req.Header.Set(pair[0], pair[1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(t, resp)
}

// standing is all that a server keeps, and all files beside its artifacts.
func standing(t *testing.T, s server) (all []string) {
	t.Helper()
	client := s.client()
	page, err := client.SearchExperiments(t.Context(), experiment.Search{View: experiment.All})
	require.NoError(t, err)
	for _, e := range page.Items {
		all = append(all, "experiment "+e.Name+" "+e.ArtifactLocation)
	}
	models, err := client.SearchModels(t.Context(), experiment.Search{})
	require.NoError(t, err)
	for _, m := range models.Items {
		all = append(all, "model "+m.Name)
	}
	var walk func(folder string)
	walk = func(folder string) {
		list, err := client.ListArtifacts(t.Context(), "mlflow-artifacts:/", folder)
		require.NoError(t, err)
		for _, f := range list {
			if all = append(all, fmt.Sprintf("artifact %s %d", f.Path, f.Size)); f.IsDir {
				walk(f.Path)
			}
		}
	}
	walk("")
	require.NoError(t, filepath.WalkDir(s.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if name := d.Name(); err == nil && !strings.HasPrefix(name, "tracking.db") {
			all = append(all, path)
		}
		return err
	}))
	text, err := os.ReadFile(filepath.Join(s.cfg.DataDir, "secret"))
	require.NoError(t, err)
	return append(all, string(text))
}

// TestNamesAreTakenAsTheyAre (CVE-2024-3099): an encoded name is another name, and never reaches the model that it decodes to.
func TestNamesAreTakenAsTheyAre(t *testing.T) {
	s := start(t)
	for _, name := range []string{"price model", "price%20model", "price%2520model"} {
		_, err := s.client().CreateModel(t.Context(), name, "the one named "+name, nil)
		require.NoError(t, err)
	}
	for _, name := range []string{"price model", "price%20model", "price%2520model"} {
		m, err := s.client().Model(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, "the one named "+name, m.Description)
	}
}

// TestContentIsNeverRun (CVE-2024-27132, -27133, -27134, CVE-2026-33865, CVE-2024-37052 to -37061): what clients wrote is text on pages, and
// a file that is sent is an attachment that no browser runs; pickles are bytes.
func TestContentIsNeverRun(t *testing.T) {
	s := start(t)
	ctx, client := t.Context(), s.client()
	const script = `<script>alert(1)</script>`
	run, err := client.CreateRun(ctx, experiment.NewRun{ExperimentID: "0", Name: script, Tags: []experiment.Tag{{Key: "mlflow.note.content", Value: script}}})
	require.NoError(t, err)
	require.NoError(t, client.LogInputs(ctx, run.ID, experiment.Inputs{Datasets: []experiment.DatasetInput{{
		Dataset: experiment.Dataset{Name: script, Digest: "1", SourceType: script, Source: script, Schema: script, Profile: script},
	}}}))
	files := map[string]string{
		"MLmodel": "x: !!js/function 'alert(1)'\n" + script, "recipe.html": script, "card.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
		"model.pkl": "\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
	}
	for name, content := range files {
		require.NoError(t, client.PutArtifact(ctx, run.ArtifactURI, name, strings.NewReader(content)))
		got := s.call(t, "GET", "/get-artifact?run_id="+run.ID+"&path="+name, "", "")
		require.Equal(t, content, got.body)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.True(t, strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment"), got.header)
		require.NotContains(t, got.header.Get("Content-Type"), "html")
		require.NotContains(t, got.header.Get("Content-Type"), "svg")
		page := s.call(t, "GET", "/runs/"+run.ID+"/artifacts?file="+name, "", "")
		require.Equal(t, http.StatusOK, page.status)
		require.NotContains(t, page.body, script)
		require.NotContains(t, page.body, "<svg xmlns=\"http://www.w3.org/2000/svg\" onload")
		require.Contains(t, page.header.Get("Content-Security-Policy"), "script-src 'self'")
	}
	for _, path := range []string{"/runs/" + run.ID, "/experiments/0", "/"} {
		require.NotContains(t, s.call(t, "GET", path, "", "").body, script, path)
	}
	require.NoFileExists(t, filepath.Join(s.cfg.DataDir, "pwned"))
}

// TestTransfersNeedTheSameRights (CVE-2024-4263, CVE-2026-2651, CVE-2026-2652, CVE-2026-33866): what writes or deletes artifacts, by whatever route, needs the
// right to write; what reads them that to read.
func TestTransfersNeedTheSameRights(t *testing.T) {
	rights := tracking.Rights()
	for _, prefix := range []string{"/api/2.0", "/ajax-api/2.0"} {
		for route, want := range map[string]string{
			"PUT artifacts/*": "write", "DELETE artifacts/*": "write", "POST mpu/create/*": "write", "POST mpu/complete/*": "write", "POST mpu/abort/*": "write",
			"GET artifacts/*": "read", "GET artifacts": "read", "GET presigned/*": "read",
		} {
			method, path, _ := strings.Cut(route, " ")
			require.Equal(t, want, rights[method+" "+prefix+"/mlflow-artifacts/"+path], route)
		}
	}
	require.Equal(t, "read", rights["GET /ajax-api/2.0/mlflow/logged-models/:model_id/artifacts/files"])
	require.Equal(t, "read", rights["GET /get-artifact"])
}
