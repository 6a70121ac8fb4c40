package roles_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/testkit/modeltest"
	"tasador/pkg/trackingclient"
)

// swapsInTest is how often the version changes in TestSwapsUnderLoadOverHTTP; make verify does it 10,000 times.
const swapsInTest = 200

// askPace is the least time between two requests of a client, which leaves the machine to the swaps.
const askPace = time.Millisecond

func TestSwapsUnderLoadOverHTTP(t *testing.T) { swapOverHTTP(t, swapsInTest) }

// swapOverHTTP moves the stage Production to and fro between two versions of tracking, as fast as serving follows, while clients ask: one listing, a list, and a
// frame. No request may
// fail, and every price must be that of the version that is named with it.
func swapOverHTTP(t *testing.T, swaps int) {
	s := startStack(t, func(cfg *config.Config) { cfg.Serving.Follow = time.Millisecond }, config.RoleTracking, config.RoleServing)
	registered := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	defer registered.Close()
	c := &swapClients{serving: s.serving(""), prices: registerTwo(t, registered), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	defer c.http.CloseIdleConnections()
	promote := func(number int) string {
		version := fmt.Sprint(number%2 + 1)
		_, err := registered.TransitionStage(t.Context(), "RealtorPriceModel", version, registry.Production, true)
		require.NoError(t, err)
		return version
	}
	s.waitForVersion(t, promote(0))

	stop := make(chan struct{})
	var clients sync.WaitGroup
	for _, ask := range []func(context.Context) (string, error){c.askList, c.askFrame} {
		clients.Go(func() {
			pace := time.NewTicker(askPace)
			defer pace.Stop()
			for {
				select {
				case <-stop:
					return
				case <-pace.C:
				}
				if _, err := ask(t.Context()); err != nil {
					c.fail(err)
					return
				}
			}
		})
	}
	ask := func() (version string) {
		version, err := c.askOne(t.Context())
		require.NoError(t, err)
		return version
	}
	pace := time.NewTicker(askPace)
	defer pace.Stop()
	for number := 1; number <= swaps && c.failed.Load() == nil; number++ {
		want, limit := promote(number), time.Now().Add(time.Minute)
		for ask() != want {
			require.True(t, time.Now().Before(limit), "version %s does not come", want)
			<-pace.C
		}
	}
	close(stop)
	clients.Wait()
	if failed := c.failed.Load(); failed != nil {
		require.NoError(t, *failed)
	}
	status, metrics := get(t, s.serving("/metrics"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, metrics, fmt.Sprintf("tasador_model_swaps_total %d\n", swaps+1))
	s.requireRecorded(t, c.priced.Load())
	t.Logf("%d swaps, %d prices in %d answers", swaps, c.priced.Load(), c.answers.Load())
}

// swapBeds are the beds of the listings that are asked about.
func swapBeds() []float64 { return []float64{1, 3, 7} }

// registerTwo registers two versions that price differently, and returns the price of each listing by version.
func registerTwo(t *testing.T, to *trackingclient.Client) map[string][]float64 {
	t.Helper()
	ctx := t.Context()
	_, err := to.CreateModel(ctx, "RealtorPriceModel", "", nil)
	require.NoError(t, err)
	id, err := to.CreateExperiment(ctx, experiment.NewExperiment{Name: "swaps"})
	require.NoError(t, err)
	prices := map[string][]float64{}
	for seed, version := range []string{"1", "2"} {
		run, err := to.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		m := modeltest.Train(t, uint64(seed+1))
		modeltest.Upload(t, to, run.ArtifactURI+"/model", m)
		v, err := to.CreateVersion(ctx, registry.NewVersion{Name: "RealtorPriceModel", Source: run.ArtifactURI + "/model", RunID: run.ID})
		require.NoError(t, err)
		require.Equal(t, version, v.Version)
		for _, bed := range swapBeds() {
			listing := model.Example()
			listing.Bed = bed
			p, err := m.Predict(listing, modeltest.AsOf())
			require.NoError(t, err)
			prices[version] = append(prices[version], p.Price)
		}
	}
	for i := range swapBeds() {
		require.NotEqual(t, prices["1"][i], prices["2"][i])
	}
	return prices
}

// swapClients ask for prices and hold them to those of the version.
type swapClients struct {
	serving string
	http    *http.Client
	prices  map[string][]float64
	failed  atomic.Pointer[error]
	priced  atomic.Int64
	answers atomic.Int64
}

func (c *swapClients) fail(err error) { c.failed.CompareAndSwap(nil, &err) }

// swapBody is the example as JSON with other beds.
func swapBody(bed float64) string {
	return strings.Replace(strings.Replace(example, `"bed": 3`, fmt.Sprintf(`"bed": %v`, bed), 1), "{", `{"as_of": "2026-01-01", `, 1)
}

func (c *swapClients) askOne(ctx context.Context) (version string, err error) {
	var got predictAnswer
	if _, err := c.ask(ctx, "/predict", swapBody(swapBeds()[1]), &got); err != nil {
		return "", err
	}
	c.priced.Add(1)
	if want := c.prices[got.ModelVersion]; len(want) == 0 || got.Prediction != want[1] {
		return "", fmt.Errorf("version %q answered %v", got.ModelVersion, got.Prediction)
	}
	return got.ModelVersion, nil
}

func (c *swapClients) askList(ctx context.Context) (version string, err error) {
	var bodies []string
	for _, bed := range swapBeds() {
		bodies = append(bodies, swapBody(bed))
	}
	var got []predictAnswer
	if _, err := c.ask(ctx, "/predict", "["+strings.Join(bodies, ",")+"]", &got); err != nil {
		return "", err
	}
	if len(got) != len(bodies) {
		return "", fmt.Errorf("%d answers to %d listings", len(got), len(bodies))
	}
	c.priced.Add(int64(len(got)))
	for i, one := range got {
		if one.ModelVersion != got[0].ModelVersion || one.Prediction != c.prices[one.ModelVersion][i] {
			return "", fmt.Errorf("version %q answered %v to listing %d of a list, the first of which version %q answered", one.ModelVersion, one.Prediction, i, got[0].ModelVersion)
		}
	}
	return got[0].ModelVersion, nil
}

func (c *swapClients) askFrame(ctx context.Context) (version string, err error) {
	var listings []json.RawMessage
	for _, bed := range swapBeds() {
		listings = append(listings, json.RawMessage(swapBody(bed)))
	}
	body, err := json.Marshal(map[string]any{"dataframe_records": listings})
	if err != nil {
		return "", err
	}
	var got struct {
		Predictions []struct{ Prediction float64 }
	}
	header, err := c.ask(ctx, "/invocations", string(body), &got)
	if err != nil {
		return "", err
	}
	c.priced.Add(int64(len(got.Predictions)))
	version = header.Get("Tasador-Model-Version")
	want := c.prices[version]
	if len(want) != len(got.Predictions) {
		return "", fmt.Errorf("version %q answered %d prices to a frame of %d rows", version, len(got.Predictions), len(listings))
	}
	for i, one := range got.Predictions {
		if one.Prediction != want[i] {
			return "", fmt.Errorf("version %q answered %v to row %d of a frame", version, one.Prediction, i)
		}
	}
	return version, nil
}

// ask posts a body and reads the answer, which must be 200.
func (c *swapClients) ask(ctx context.Context, path, body string, into any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.serving+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it is read to its end
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	c.answers.Add(1)
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d: %s", path, res.StatusCode, answer)
	}
	return res.Header, json.Unmarshal(answer, into)
}
