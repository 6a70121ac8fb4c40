// Package chaos_test kills tasador where it hurts and looks at what is left.
package chaos_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// conf fixes the instant that days are counted to, so that two runs of the same rows are equal.
const conf = `{"as_of":"2026-01-01"}`

// runLimit bounds one DAG run with all that is done to it.
const runLimit = 2 * time.Minute

// world is source and tracking as one process, pipeline and serving as two more, each with a folder and an address that it keeps.
type world struct {
	bin, dir, batches string
	retries           int
	address           map[string]string // role → host:port
	line              map[string]string // role → where the others are told that it is, if that is not its address
	more              []string          // flags of the pipeline
	moreServing       []string          // flags of serving
	listings          map[string]string // rawdata, cleandata → their databases, if those are not files of the pipeline
}

func newWorld(t testing.TB, bin, batches string) *world {
	t.Helper()
	w := &world{bin: bin, dir: t.TempDir(), batches: batches, retries: 1, address: map[string]string{}, line: map[string]string{}}
	for _, role := range []string{"source", "tracking", "pipeline", "serving"} {
		w.address[role] = freeAddress(t)
	}
	return w
}

// freeAddress returns an address whose port no outgoing connection gets, so that a process that was killed has it again.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		ln, err := net.Listen("tcp", address)
		if err == nil {
			require.NoError(t, ln.Close())
			return address
		}
	}
	require.Fail(t, "no port is free")
	return ""
}

func (w *world) uri(role string) string    { return "http://" + w.address[role] }
func (w *world) told(role string) string   { return cmp.Or(w.line[role], w.uri(role)) }
func (w *world) folder(role string) string { return filepath.Join(w.dir, role) }

// listingsURL is where RawData or CleanData is.
func (w *world) listingsURL(name string) string {
	return cmp.Or(w.listings[name], "sqlite:"+filepath.Join(w.folder("pipeline"), name+".db"))
}

// args are those of the process of a role; tracking's is the source's, too.
func (w *world) args(role string) []string {
	args := []string{"--role=" + role, "--data-dir=" + w.folder(role)}
	switch role {
	case "tracking":
		args[0] = "--role=source,tracking"
		return append(args, "--tracking.listen="+w.address["tracking"], "--source.listen="+w.address["source"], "--source.batches="+w.batches, "--source.seed=2")
	case "serving":
		return append(append(args, "--serving.listen="+w.address["serving"], "--tracking.uri="+w.told("tracking"), "--serving.follow=20ms"), w.moreServing...)
	default:
		return append(append(args, "--pipeline.listen="+w.address["pipeline"], "--tracking.uri="+w.told("tracking"), "--source.uri="+w.told("source"),
			"--schedule.cron=none", "--schedule.retry-delay=100ms", fmt.Sprintf("--schedule.retries=%d", w.retries), "--gate.min-new-records=100",
			"--rawdata.url="+w.listingsURL("rawdata"), "--cleandata.url="+w.listingsURL("cleandata")), w.more...)
	}
}

// launch starts the process of a role and does not wait for it.
func (w *world) launch(t testing.TB, role string, env ...string) *testkit.Process {
	t.Helper()
	return testkit.Launch(t, env, w.bin, w.args(role)...)
}

// start starts the process of a role and waits until it is ready.
func (w *world) start(t testing.TB, role string, env ...string) *testkit.Process {
	t.Helper()
	p := w.launch(t, role, env...)
	roles := 1
	if role == "tracking" {
		roles = 2
	}
	require.True(t, p.Ready(t, roles), "%s ended before it was ready: %s", role, p.Log())
	return p
}

func (w *world) tracking() *trackingclient.Client {
	return trackingclient.New(w.uri("tracking"), trackingclient.Options{})
}

// trigger starts a DAG run unless it is there. It reports false if the pipeline does not answer.
func (w *world) trigger(t testing.TB, id string) bool {
	t.Helper()
	_, err := pipelineclient.New(w.uri("pipeline"), outgoing.Options{}).Trigger(t.Context(), realtor.DAG, pipelineclient.Trigger{RunID: id, Conf: json.RawMessage(conf)})
	if err != nil && apperror.CodeOf(err) != apperror.AlreadyExists {
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%v", err)
		return false
	}
	return true
}

// state returns the state of a DAG run, nothing if the pipeline does not answer.
func (w *world) state(t testing.TB, id string) dag.RunState {
	t.Helper()
	run, err := pipelineclient.New(w.uri("pipeline"), outgoing.Options{}).Run(t.Context(), realtor.DAG, id)
	if err != nil {
		return ""
	}
	return run.State
}

// await waits for the end of a DAG run, which must be a success.
func (w *world) await(t testing.TB, id string, pipeline *testkit.Process) {
	t.Helper()
	require.Eventually(t, func() bool {
		state := w.state(t, id)
		return state == dag.RunSuccess || state == dag.RunFailed
	}, runLimit, 10*time.Millisecond, "the DAG run %s does not end: %s", id, pipeline.Log())
	require.Equal(t, dag.RunSuccess, w.state(t, id), "%s: %s", id, pipeline.Log())
}

// say writes a line to whoever waits for the end.
func say(t *testing.T, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(t.Output(), format+"\n", args...)
	require.NoError(t, err)
}
