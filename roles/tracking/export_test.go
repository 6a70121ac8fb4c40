package tracking

import "tasador/pkg/registry"

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
