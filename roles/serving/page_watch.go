package serving

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/drift"
	"tasador/pkg/inference"
)

// watchPath is the page that says whether the model is still right.
const watchPath = "/watch"

// watchPage is its content.
type watchPage struct {
	Model    string
	Windows  []watchChoice
	Versions []watchChoice
	Version  string // empty if none answers
	Href     string // of the version
	Window   drift.Window

	Predictions uint64
	Enough      int // predictions that a state needs
	Old         bool
	Fields      []driftView
	Drifted     []string // labels of the fields
	Drifting    []string

	Errors   FeedbackErrors
	TestRMSE *float64
	Level    float64 // that intervals promise
	Bounds   driftBounds

	Followed []watchRole
	Shadow   *ShadowState
	Split    bool   // more than the champion answers or is asked
	Command  string // that makes a prediction
	Tell     string // that tells a sale price
}

// driftBounds are where a field begins to drift and where it has drifted.
type driftBounds struct{ Moderate, Significant float64 }

// watchRole is a role with the version that answers in it.
type watchRole struct {
	FollowedOne
	Trouble *apperror.Sentence // its problem, for translation
}

// watchChoice is a window or a version that may be looked at.
type watchChoice struct {
	Label, Href string // the label of a window is a key of the translations
	Role        string // of a version, if it has one
	Current     bool
}

// driftView is how far one field is from training, with its pictures.
type driftView struct {
	DriftOfField
	ID     string
	Label  string
	Gauge  gaugeView
	Shares sharesView
	Money  bool // its values are dollars
}

var windowLabels = map[drift.Window]string{drift.Hour: "the last hour", drift.Day: "the last day", drift.Week: "the last week"}

// watch is GET /watch?window=1h&version=7.
func (r *role) watch(c echo.Context) error {
	now := time.Now()
	p := watchPage{
		Model: r.cfg.Serving.Model, Window: windowNamed(c.QueryParam("window")), Enough: drift.FewPredictions, Level: r.cfg.Serving.IntervalLevel,
		Bounds: driftBounds{drift.Moderate, drift.Significant}, Command: watchCommand(c), Tell: tellCommand(c),
	}
	answering := r.modelsNow()
	p.Shadow, p.Split = answering.Shadow, len(answering.Followed) > 1
	p.Followed = watchRoles(answering.Followed, r.predictor.Followed())
	p.chooseVersion(c.QueryParam("version"), answering, r.predictor.Watched())
	for _, w := range drift.Windows() {
		p.Windows = append(p.Windows, watchChoice{Label: windowLabels[w], Href: p.href(w, p.Version), Current: w == p.Window})
	}
	for i := range p.Versions {
		p.Versions[i].Href = p.href(p.Window, p.Versions[i].Label)
	}
	if p.Version != "" {
		p.Href = r.header.Places(c.Request()).Version(p.Model, p.Version)
	}
	p.measure(r.predictor.Watch(p.Version), now)
	for _, v := range append(slices.Clone(answering.Kept), followedVersions(answering)...) {
		if v.Version == p.Version {
			p.TestRMSE = v.TestRMSE
		}
	}
	return r.site.Write(c.Response(), c.Request(), http.StatusOK, "watch", r.page(c, "Watch", p))
}

// watchRoles puts beside what is answered to programs why something is missing, for people.
func watchRoles(told []FollowedOne, followed []inference.Followed) []watchRole {
	var all []watchRole
	for _, one := range told {
		role := watchRole{FollowedOne: one}
		for _, f := range followed {
			if string(f.Role) == one.Role && f.Problem != nil {
				role.Trouble = sentenceOf(f.Problem)
			}
		}
		all = append(all, role)
	}
	return all
}

func windowNamed(name string) drift.Window {
	for _, w := range drift.Windows() {
		if string(w) == name {
			return w
		}
	}
	return drift.Day
}

func (p *watchPage) href(w drift.Window, version string) string {
	return watchPath + "?" + url.Values{"window": {string(w)}, "version": {version}}.Encode()
}

func followedVersions(m Models) []VersionInfo {
	var all []VersionInfo
	for _, f := range m.Followed {
		if f.Version != nil {
			all = append(all, *f.Version)
		}
	}
	return all
}

// chooseVersion lists what answers and what answered lately. The one that was asked for is shown, else the champion.
func (p *watchPage) chooseVersion(asked string, answering Models, watched []inference.Watched) {
	add := func(version, role string) {
		if at := slices.IndexFunc(p.Versions, func(c watchChoice) bool { return c.Label == version }); at < 0 {
			p.Versions = append(p.Versions, watchChoice{Label: version, Role: role})
		}
	}
	for _, f := range answering.Followed {
		if f.Version != nil && f.Role != string(inference.Shadow) { // what a shadow is asked is not counted
			add(f.Version.Version, f.Role)
		}
	}
	for _, w := range watched {
		add(w.Version, "")
	}
	if len(p.Versions) == 0 {
		return
	}
	chosen := max(0, slices.IndexFunc(p.Versions, func(c watchChoice) bool { return c.Label == asked }))
	p.Versions[chosen].Current = true
	p.Version = p.Versions[chosen].Label
}

// measure fills in what a monitor saw.
func (p *watchPage) measure(m *drift.Monitor, now time.Time) {
	seen := windowOf(m.Report(p.Window, now))
	p.Predictions, p.Errors = seen.Predictions, seen.Errors
	p.Old = p.Version != "" && len(seen.Fields) == 0
	for _, f := range seen.Fields {
		p.Fields = append(p.Fields, viewDrift(f))
	}
	rank := map[string]int{string(drift.Drifting): 0, string(drift.Shifted): 1, string(drift.Stable): 2, string(drift.Few): 3}
	slices.SortStableFunc(p.Fields, func(a, b driftView) int {
		if a.Field == drift.Prediction || b.Field == drift.Prediction { // it stands first
			return boolRank(b.Field == drift.Prediction) - boolRank(a.Field == drift.Prediction)
		}
		return rank[a.State] - rank[b.State]
	})
	for _, f := range p.Fields {
		if f.State == string(drift.Drifting) {
			p.Drifted = append(p.Drifted, f.Label)
		} else if f.State == string(drift.Shifted) {
			p.Drifting = append(p.Drifting, f.Label)
		}
	}
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// watchCommand is what makes a prediction from a shell.
func watchCommand(c echo.Context) string {
	return "curl -s " + origin(c) + "/predict -H 'Content-Type: application/json' \\\n  -d '{\"status\": \"for_sale\", \"bed\": 3, \"bath\": 2, \"acre_lot\": 1.17, \"house_size\": 2056}'"
}

// tellCommand is what tells a sale price from a shell.
func tellCommand(c echo.Context) string {
	return "curl -s " + origin(c) + "/feedback -H 'Content-Type: application/json' \\\n  -d '{\"request_id\": \"…\", \"sale_price\": 394900}'"
}

// gaugeView is the population stability index as a bar with the two thresholds.
type gaugeView struct {
	W                     string // of the bar
	Moderate, Significant string // where the thresholds stand
	Beyond                bool   // it is larger than the axis
}

const (
	gaugeWidth = 320
	gaugeMost  = 0.5
)

// sharesView is the share of each bin in training, as a line, and now, as bars. All begin at zero.
type sharesView struct {
	Width, Height, Base int
	Bars                []shareBar
	Training            string      // path
	Most                float64     // the largest share
	FirstAt, LastAt     *float64    // what stands at the ends of the axis; nil for a category
	Names               []shareName // what stands below the bars of a category, where there is room
}

type shareName struct{ X, Category string }

// mostNames is how many categories have room for their names.
const mostNames = 4

type shareBar struct {
	DriftBin
	X, Y, W, H string
}

const (
	sharesWidth  = 320
	sharesHeight = 72
)

func viewDrift(f DriftOfField) driftView {
	label := labelOf(f.Field)
	if f.Field == drift.Prediction {
		label = "Predicted price"
	}
	v := driftView{DriftOfField: f, ID: strings.ReplaceAll(f.Field, " ", "-"), Label: label, Shares: drawShares(f.Bins), Money: f.Field == drift.Prediction}
	v.Gauge = gaugeView{W: "0", Moderate: coordinate(gaugeWidth * drift.Moderate / gaugeMost), Significant: coordinate(gaugeWidth * drift.Significant / gaugeMost)}
	if f.PSI != nil {
		v.Gauge.Beyond = *f.PSI > gaugeMost
		v.Gauge.W = coordinate(gaugeWidth * math.Min(gaugeMost, *f.PSI) / gaugeMost)
	}
	return v
}

// drawShares lays out bins side by side, each as wide as the others: those of numbers hold about the same share of training.
func drawShares(bins []DriftBin) sharesView {
	v := sharesView{Width: sharesWidth, Height: sharesHeight, Base: sharesHeight}
	if len(bins) == 0 {
		return v
	}
	share := func(p *float64) float64 {
		if p == nil {
			return 0
		}
		return *p
	}
	for _, b := range bins {
		v.Most = max(v.Most, share(b.Reference), share(b.Window))
	}
	if v.Most == 0 {
		v.Most = 1
	}
	each := float64(sharesWidth) / float64(len(bins))
	y := func(s float64) float64 { return float64(v.Base) - s/v.Most*(sharesHeight-4) }
	var line strings.Builder
	for i, b := range bins {
		from, to := float64(i)*each, float64(i+1)*each
		now := share(b.Window)
		v.Bars = append(v.Bars, shareBar{DriftBin: b, X: coordinate(from + 1), Y: coordinate(y(now)), W: coordinate(each - 2), H: coordinate(float64(v.Base) - y(now))})
		command := "L"
		if i == 0 {
			command = "M"
		}
		at := coordinate(y(share(b.Reference)))
		line.WriteString(command + coordinate(from) + " " + at + "L" + coordinate(to) + " " + at)
	}
	v.Training = line.String()
	if bins[0].UpTo == nil && len(bins) > 1 {
		shown := bins
		if last := bins[len(bins)-1]; share(last.Reference)+share(last.Window) == 0 && last.Category == "" {
			shown = bins[:len(bins)-1] // nothing else came
		}
		for i, b := range shown {
			if len(shown) <= mostNames {
				v.Names = append(v.Names, shareName{X: coordinate((float64(i) + 0.5) * each), Category: b.Category})
			}
		}
	}
	v.FirstAt, v.LastAt = bins[0].UpTo, bins[len(bins)-1].Above
	return v
}
