package tracking

import (
	"encoding/json"
	"fmt"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

// Calls returns method and path of every call below /api/2.0/mlflow.
func Calls() (calls [][2]string) {
	for _, c := range (&api{}).calls() {
		calls = append(calls, [2]string{c.method, c.path})
	}
	return calls
}

// Rights returns the right that each route needs, by method and path.
func Rights() map[string]string {
	rights := map[string]string{}
	for _, r := range append((&api{}).routes(), (&pages{}).routes()...) {
		rights[r.Method+" "+r.Path] = string(r.Right)
	}
	return rights
}

// Periods returns version, begin and end of the times in Production that moves tell of.
func Periods(moves []registry.Move) (list [][3]any) {
	for _, p := range periods(moves) {
		list = append(list, [3]any{p.Version, int64(p.From), int64(p.To)})
	}
	return list
}

// What is read by hand, beside what encoding/json and a regular expression find.
var (
	ReadPointsFast = pointTexts
	HasCamelKey    = hasCamelKey
)

func pointTexts(sent []byte) ([]shownPoint, bool) {
	points, ok := readPoints(sent)
	return shownPoints(points), ok
}

// ReadPointsSlow reads a list of points with encoding/json.
func ReadPointsSlow(sent []byte) ([]shownPoint, error) {
	r := &request{body: map[string]json.RawMessage{"metrics": sent}}
	points := r.metricsSlowly("metrics")
	return shownPoints(points), r.err()
}

// shownPoint is a point whose text tells all of it, NaN too.
type shownPoint experiment.Metric

func (p shownPoint) String() string { return fmt.Sprintf("%+v", experiment.Metric(p)) }

func shownPoints(points []experiment.Metric) (out []shownPoint) {
	for _, p := range points {
		out = append(out, shownPoint(p))
	}
	return out
}
