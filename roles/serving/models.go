package serving

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/inference"
)

// Models is the body of GET /models.
type Models struct {
	Model    string        `json:"model" doc:"Registered model."`
	Followed []FollowedOne `json:"followed" nullable:"false" doc:"What answers: the champion first, then the challenger and the shadow where they are set."`
	Kept     []VersionInfo `json:"kept" nullable:"false" doc:"Versions that are kept in memory because requests named them."`
	Shadow   *ShadowState  `json:"shadow,omitempty" doc:"How far the prices of the shadow are from those given, where there is one."`
}

// FollowedOne is a role with the version that answers in it.
type FollowedOne struct {
	Role    string       `json:"role" enum:"champion,challenger,shadow"`
	Follows string       `json:"follows" doc:"Stage, @alias or number that is followed."`
	Share   float64      `json:"share" doc:"Share of the requests that it answers."`
	Version *VersionInfo `json:"version,omitempty" doc:"Missing if there is none."`
	Problem string       `json:"problem,omitempty" doc:"Why the last look at the registry led to nothing."`
}

// VersionInfo is a version that answers.
type VersionInfo struct {
	Version  string    `json:"version"`
	Stage    string    `json:"stage" doc:"When the registry was asked last."`
	RunID    string    `json:"run_id"`
	DAGRunID string    `json:"dag_run_id" doc:"DAG run that trained it."`
	TestRMSE *float64  `json:"test_rmse,omitempty" doc:"Dollars."`
	Since    time.Time `json:"since" doc:"When this process began to serve it."`
	Interval bool      `json:"has_intervals"`
}

// ShadowState is what came of asking the shadow. Counts are since the process began.
type ShadowState struct {
	Compared  uint64       `json:"compared"`
	Dropped   uint64       `json:"dropped" doc:"Answers that it was not asked about because too many waited."`
	Failed    uint64       `json:"failed"`
	Hangs     bool         `json:"hangs"`
	Answers   string       `json:"answers_version,omitempty" doc:"Version whose answers the shadow is compared with."`
	Version   string       `json:"shadow_version,omitempty"`
	Count     uint64       `json:"count" doc:"Prices of these two versions that were compared."`
	Mean      float64      `json:"mean_difference" doc:"Shadow minus answer, dollars."`
	Absolute  float64      `json:"mean_absolute_difference" doc:"Dollars."`
	Relative  float64      `json:"mean_relative_difference" doc:"Share of the answer."`
	Quantiles []ShadowTail `json:"quantiles" nullable:"false"`
}

// ShadowTail is a quantile of the differences.
type ShadowTail struct {
	Quantile float64 `json:"quantile"`
	Absolute float64 `json:"absolute_difference" doc:"Dollars."`
	Relative float64 `json:"relative_difference" doc:"Share of the answer."`
}

// models is GET /models.
func (r *role) models(c echo.Context) error { return c.JSON(http.StatusOK, r.modelsNow()) }

// modelsNow says which versions answer, for programs and for pages.
func (r *role) modelsNow() Models {
	out := Models{Model: r.cfg.Serving.Model, Followed: []FollowedOne{}, Kept: []VersionInfo{}}
	challenged := 0.0
	for _, f := range r.predictor.Followed() {
		one := FollowedOne{Role: string(f.Role), Follows: f.Follows}
		if f.Served != nil {
			info := infoOf(f.Served)
			one.Version = &info
		}
		if f.Problem != nil {
			one.Problem = apperror.MessageOf(f.Problem)
		}
		if f.Role == inference.Challenger && f.Served != nil {
			challenged = r.predictor.Share()
			one.Share = challenged
		}
		out.Followed = append(out.Followed, one)
		if f.Role == inference.Shadow {
			out.Shadow = shadowState(r.predictor.ShadowReport())
		}
	}
	if out.Followed[0].Version != nil {
		out.Followed[0].Share = 1 - challenged
	}
	for _, served := range r.predictor.Kept() {
		out.Kept = append(out.Kept, infoOf(served))
	}
	slices.SortFunc(out.Kept, func(a, b VersionInfo) int {
		if len(a.Version) != len(b.Version) {
			return len(a.Version) - len(b.Version) // they are numbers
		}
		return strings.Compare(a.Version, b.Version)
	})
	return out
}

func infoOf(s *inference.Served) VersionInfo {
	t := s.Model.Training
	info := VersionInfo{Version: s.Version, Stage: string(s.Stage), RunID: s.RunID, DAGRunID: t.DAGRunID, Since: s.Since, Interval: s.Model.Residuals != nil}
	if rmse := float64(t.TestRMSE); !math.IsNaN(rmse) && !math.IsInf(rmse, 0) {
		info.TestRMSE = &rmse
	}
	return info
}

func shadowState(r inference.ShadowReport) *ShadowState {
	d := r.Differences
	s := &ShadowState{
		Compared: r.Compared, Dropped: r.Dropped, Failed: r.Failed, Hangs: r.Hangs, Answers: r.Versions[0], Version: r.Versions[1],
		Count: d.Count, Mean: d.Mean, Absolute: d.Absolute.Mean, Relative: d.Relative.Mean, Quantiles: []ShadowTail{},
	}
	for i, q := range d.Quantiles {
		s.Quantiles = append(s.Quantiles, ShadowTail{Quantile: q, Absolute: d.Absolute.Values[i], Relative: d.Relative.Values[i]})
	}
	return s
}
