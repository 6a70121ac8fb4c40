package roles_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
	"tasador/pkg/trackingclient"
)

// explained is an answer as a client reads it.
type explained struct {
	Prediction    float64
	Version       string             `json:"model_version"`
	Stage         string             `json:"model_stage"`
	Role          string             `json:"model_role"`
	Interval      *model.Interval    `json:"interval"`
	Base          *float64           `json:"base"`
	Contributions map[string]float64 `json:"contributions"`
	Warnings      []struct{ Type, Field, Message string }
}

// TestVersionsAnswerSideBySide has two versions answer in every role, and looks at what an answer says.
func TestVersionsAnswerSideBySide(t *testing.T) {
	s := startStack(t, func(cfg *config.Config) {
		cfg.Serving.Alias = "champion"
		cfg.Serving.Challenger, cfg.Serving.ChallengerShare = "challenger", 0.5
		cfg.Serving.Shadow = "2"
	}, config.RoleNames()...)
	status, body := post(t, s.serving("/predict"), example)
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	s.runDAG(t, "first")
	s.runDAG(t, "nothing-new")
	s.runDAG(t, "too-few")
	s.runDAG(t, "second")
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	defer client.Close()
	require.NoError(t, client.SetAlias(t.Context(), "RealtorPriceModel", "champion", "1"))
	require.NoError(t, client.SetAlias(t.Context(), "RealtorPriceModel", "challenger", "2"))
	require.Eventually(t, func() bool {
		_, body := get(t, s.serving("/metrics"))
		return strings.Contains(body, `tasador_model_role_version{role="challenger"} 2`) && strings.Contains(body, `tasador_model_role_version{role="shadow"} 2`) &&
			strings.Contains(body, `tasador_model_role_version{role="champion"} 1`)
	}, 30*time.Second, 20*time.Millisecond)

	t.Run("an answer explains itself", func(t *testing.T) { answerExplainsItself(t, s) })
	t.Run("the version that is asked for answers", func(t *testing.T) { versionIsAskedFor(t, s) })
	t.Run("requests are shared by their ids", func(t *testing.T) { requestsAreShared(t, s) })
	t.Run("what answers is listed", func(t *testing.T) { versionsAreListed(t, s) })
	t.Run("the shadow is asked about features", func(t *testing.T) { shadowIsAskedAboutFeatures(t, s) })
	t.Run("drift is told", func(t *testing.T) { driftIsTold(t, s) })
}

// ask prices the example as of 2028, which is as long ago as training saw, under a request id.
func ask(t *testing.T, s *stack, path, id string, changes map[string]any) explained {
	t.Helper()
	changed := map[string]any{"as_of": "2028-01-01"}
	for k, v := range changes {
		changed[k] = v
	}
	status, body := send(t, http.MethodPost, s.serving(path), http.Header{"X-Request-Id": {id}}, with(t, changed))
	require.Equal(t, http.StatusOK, status, body)
	var got explained
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	return got
}

func answerExplainsItself(t *testing.T, s *stack) {
	got := ask(t, s, "/models/1/predict", "explained", nil)
	require.NotNil(t, got.Interval)
	require.Equal(t, 0.9, got.Interval.Level)
	require.Less(t, got.Interval.Low, got.Prediction)
	require.Greater(t, got.Interval.High, got.Prediction)
	require.Empty(t, got.Warnings)
	sum, scale := *got.Base, math.Abs(*got.Base)
	for _, v := range got.Contributions {
		sum += v
		scale = max(scale, math.Abs(v))
	}
	require.Contains(t, got.Contributions, "house_size")
	require.InDelta(t, got.Prediction, sum, 1e-12*scale)

	narrow := ask(t, s, "/models/1/predict?level=0.5&explain=false", "narrow", nil)
	require.Equal(t, 0.5, narrow.Interval.Level)
	require.Less(t, narrow.Interval.High, got.Interval.High)
	require.Nil(t, narrow.Contributions)
	require.Equal(t, got.Prediction, narrow.Prediction)

	odd := ask(t, s, "/predict", "odd", map[string]any{"acre_lot": 9_000_000, "prev_sold_date": nil})
	require.Len(t, odd.Warnings, 2)
	require.Equal(t, "acre_lot", odd.Warnings[0].Field)
	require.Contains(t, odd.Warnings[0].Message, "9e+06; the model was trained on values from")
	require.Equal(t, "missing_sold_date", odd.Warnings[1].Type)

	for query, says := range map[string]string{"level=0.2": "from 0.5 to 0.99", "level=x": "from 0.5 to 0.99", "level=NaN": "from 0.5 to 0.99", "explain=perhaps": "true or false"} {
		status, body := post(t, s.serving("/predict?"+query), example)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, body, says)
	}
}

func versionIsAskedFor(t *testing.T, s *stack) {
	for _, version := range []string{"1", "2"} {
		got := ask(t, s, "/models/"+version+"/predict", "asked-"+version, nil)
		require.Equal(t, version, got.Version)
		require.Equal(t, "requested", got.Role)
		records := s.recorded(t, "asked-"+version)
		require.Len(t, records, 1)
		require.Equal(t, version, records[0].ModelVersion)
		require.Equal(t, got.Prediction, records[0].Prediction)
	}
	for _, version := range []string{"99", "latest", "-1"} {
		status, body := post(t, s.serving("/models/"+version+"/predict"), example)
		require.Equal(t, http.StatusNotFound, status, body)
		require.Contains(t, body, "RealtorPriceModel")
	}
}

func requestsAreShared(t *testing.T, s *stack) {
	seen := map[string]int{}
	for i := range 60 {
		id := fmt.Sprint("shared-", i)
		got := ask(t, s, "/predict", id, nil)
		require.Equal(t, got, ask(t, s, "/predict", id, nil), "a retry goes to another version")
		seen[got.Role+got.Version]++
	}
	require.Len(t, seen, 2)
	require.Greater(t, seen["champion1"], 10)
	require.Greater(t, seen["challenger2"], 10)
}

// shadowIsAskedAboutFeatures sends frames of encoded features, of which the champion answers some.
func shadowIsAskedAboutFeatures(t *testing.T, s *stack) {
	compared := func() (n uint64) {
		_, body := get(t, s.serving("/metrics"))
		for line := range strings.Lines(body) {
			if _, err := fmt.Sscanf(line, "tasador_shadow_compared_total %d", &n); err == nil {
				return n
			}
		}
		t.Fatal("nothing is counted")
		return 0
	}
	features := s.servedModel(t, "1").Schema.Features
	row := make([]float64, len(features))
	frame, err := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": features, "data": [][]float64{row, row, row}}})
	require.NoError(t, err)
	before, champions := compared(), uint64(0)
	for i := range 20 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.serving("/invocations"), strings.NewReader(string(frame)))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Request-Id", fmt.Sprint("features-", i))
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
		if res.Header.Get("Tasador-Model-Version") == "1" {
			champions++
		}
	}
	require.Positive(t, champions)
	require.Eventually(t, func() bool { return compared() == before+3*champions }, 30*time.Second, 10*time.Millisecond)
}

func versionsAreListed(t *testing.T, s *stack) {
	var got struct {
		Model    string
		Followed []struct {
			Role, Follows, Problem string
			Share                  float64
			Version                struct {
				Version, Stage string
				DAGRunID       string `json:"dag_run_id"`
			}
		}
		Kept   []struct{ Version string }
		Shadow struct {
			Compared uint64
			Absolute float64 `json:"mean_absolute_difference"`
			Answers  string  `json:"answers_version"`
			Version  string  `json:"shadow_version"`
		}
	}
	require.Eventually(t, func() bool {
		_, body := get(t, s.serving("/models"))
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		return got.Shadow.Compared > 0
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, "RealtorPriceModel", got.Model)
	require.Len(t, got.Followed, 3)
	for i, want := range []struct {
		role, follows, version, run string
		share                       float64
	}{{"champion", "@champion", "1", "first", 0.5}, {"challenger", "@challenger", "2", "second", 0.5}, {"shadow", "2", "2", "second", 0}} {
		f := got.Followed[i]
		require.Equal(t, [4]string{want.role, want.follows, want.version, want.run}, [4]string{f.Role, f.Follows, f.Version.Version, f.Version.DAGRunID})
		require.Equal(t, want.share, f.Share)
		require.Empty(t, f.Problem)
	}
	require.Len(t, got.Kept, 2)
	require.Equal(t, [2]string{"1", "2"}, [2]string{got.Shadow.Answers, got.Shadow.Version})
	one, two := ask(t, s, "/models/1/predict", "a", nil), ask(t, s, "/models/2/predict", "b", nil)
	require.Positive(t, got.Shadow.Absolute)
	require.NotEqual(t, one.Prediction, two.Prediction)
}

func driftIsTold(t *testing.T, s *stack) {
	for i := range 450 { // about half of them for each version: more than few
		ask(t, s, "/predict?explain=false", fmt.Sprint("drift-", i), nil)
	}
	var got struct {
		Versions []struct {
			Version string
			Windows []struct {
				Window      string
				Predictions int
				Fields      []struct {
					Field, State    string
					PSI, KS         float64
					WassersteinDist float64 `json:"wasserstein"`
					Bins            []struct{ Reference, Window float64 }
				}
			}
		}
	}
	_, body := get(t, s.serving("/drift"))
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got.Versions, 2)
	for _, v := range got.Versions {
		require.Len(t, v.Windows, 3)
		for _, w := range v.Windows {
			require.Greater(t, w.Predictions, 200, w.Window)
			for _, f := range w.Fields {
				if f.Field == "bed" || f.Field == "house_size" {
					require.Equal(t, "significant", f.State, "one listing again and again is not what training saw: %s", f.Field)
				}
				share := 0.0
				for _, b := range f.Bins {
					share += b.Window
				}
				require.InDelta(t, 1, share, 1e-9)
			}
		}
	}
	_, body = get(t, s.serving("/metrics"))
	require.Regexp(t, `(?m)^tasador_drift_psi\{field="bed",version="1",window="1h"\} [0-9.]+$`, body)
	require.Regexp(t, `(?m)^tasador_shadow_compared_total [1-9]`, body)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}
