package trackingstore

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// HistoryOutlines returns at most limit points, from 3 on, of a metric in each of some runs, for a chart: with the first and the last, in the order of
// their steps, and reports whether there are more. Unlike SampledHistories it does not read all points to choose some, if those that lie at evenly spaced
// times are spread over the steps too, as they are when steps take about the same time.
func (s *Store) HistoryOutlines(ctx context.Context, runIDs []string, key string, limit int) (points []experiment.RunMetric, more bool, err error) {
	limit = max(limit, 3) //nolint:mnd // two ends and something between
	points, more, err = s.outlines(ctx, runIDs, key, limit)
	return points, more, sqlstore.Translate(err, "metric history")
}

func (s *Store) outlines(ctx context.Context, runIDs []string, key string, limit int) (points []experiment.RunMetric, more bool, err error) {
	ends, err := s.historyEnds(ctx, runIDs, key)
	if err != nil {
		return nil, false, err
	}
	places := make([]place, 0, len(ends)*limit)
	for _, e := range ends {
		places = e.places(places, limit)
	}
	found, err := s.pointsAt(ctx, key, places)
	if err != nil {
		return nil, false, err
	}
	for _, e := range ends { // in the order of runIDs
		h := found[e.run]
		even := isEven(h, limit)
		if even && len(h) == limit {
			points, more = append(points, h...), true
			continue
		}
		var n int64
		if err := s.points(ctx, e.run, key).Count(&n).Error; err != nil {
			return nil, false, err
		}
		more = more || n > int64(limit)
		if !even || n <= int64(limit) {
			if h, err = s.sampleOf(ctx, e.run, key, experiment.StepRange{First: math.MinInt64, Last: math.MaxInt64}, limit, n); err != nil {
				return nil, false, err
			}
		}
		points = append(points, h...)
	}
	return points, more, nil
}

// historyEnd is where the points of a metric in a run begin and end, by time and then step, as they are kept.
type historyEnd struct {
	run         string
	first, last spot
}

// spot is where a point is kept.
type spot struct{ timestamp, step int64 }

// place is a spot of a run from which on the next point is sought.
type place struct {
	run string
	spot
}

// places adds evenly spaced places: over time or, if all points have one, over the steps; the last is the last point.
func (e historyEnd) places(list []place, limit int) []place {
	for i := range limit - 1 {
		at := spot{between(e.first.timestamp, e.last.timestamp, i, limit-1), math.MinInt64}
		if e.first.timestamp == e.last.timestamp {
			at.step = between(e.first.step, e.last.step, i, limit-1)
		}
		list = append(list, place{e.run, at})
	}
	return append(list, place{e.run, e.last})
}

// between is from + (to − from)·i/n, for any two numbers with from ≤ to, and 0 ≤ i < n: what wraps around on the way wraps back.
func between(from, to int64, i, n int) int64 {
	high, low := bits.Mul64(uint64(to)-uint64(from), uint64(i))
	part, _ := bits.Div64(high, low, uint64(n))
	return int64(uint64(from) + part)
}

// Points that are sought may leave out this part of those that are wanted, and lie this many times further apart than on average.
const (
	fewestSought = 0.5
	widestGap    = 4
)

// isEven reports whether points tell the shape of a history over its steps as well as others would.
func isEven(h []experiment.RunMetric, limit int) bool {
	if float64(len(h)) < fewestSought*float64(limit) {
		return false
	}
	widest := 0.0
	for i := 1; i < len(h); i++ {
		gap := float64(h[i].Step) - float64(h[i-1].Step)
		if gap < 0 {
			return false // steps that do not rise with time are drawn in another order
		}
		widest = math.Max(widest, gap)
	}
	all := float64(h[len(h)-1].Step) - float64(h[0].Step)
	return widest <= widestGap*all/float64(len(h)-1)
}

// The queries for the ends of histories and for the points from given places on, for each engine. SQLite, which cannot join with the first row of a query,
// gets the columns of that row as one text: to look for it once for each column would take three times as long.
const (
	atFirst, atLast = "ORDER BY timestamp, step LIMIT 1)", "ORDER BY timestamp DESC, step DESC LIMIT 1)"
	endsOnPostgres  = `SELECT r.value, (SELECT timestamp FROM metrics WHERE run_id = r.value AND key = $2 ` + atFirst + `, (SELECT step FROM metrics WHERE run_id = r.value AND key = $2 ` + atFirst + `,
		(SELECT timestamp FROM metrics WHERE run_id = r.value AND key = $2 ` + atLast + `, (SELECT step FROM metrics WHERE run_id = r.value AND key = $2 ` + atLast + `
		FROM unnest($1::text[]) WITH ORDINALITY AS r (value, n) ORDER BY r.n`
	endsOnSQLite = `SELECT r.value, (SELECT timestamp FROM metrics WHERE run_id = r.value AND key = ?2 ` + atFirst + `, (SELECT step FROM metrics WHERE run_id = r.value AND key = ?2 ` + atFirst + `,
		(SELECT timestamp FROM metrics WHERE run_id = r.value AND key = ?2 ` + atLast + `, (SELECT step FROM metrics WHERE run_id = r.value AND key = ?2 ` + atLast + `
		FROM json_each(?1) AS r`
	pointsOnPostgres = `SELECT p.run, m.timestamp, m.step, m.value, m.is_nan
		FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS p (run, timestamp, step, n), LATERAL (
			SELECT timestamp, step, value, is_nan FROM metrics WHERE run_id = p.run AND key = $4 AND (timestamp, step) >= (p.timestamp, p.step)
			ORDER BY timestamp, step, value, is_nan LIMIT 1) AS m
		ORDER BY p.n`
	pointsOnSQLite = `WITH p AS MATERIALIZED (SELECT value ->> 0 AS run, value ->> 1 AS timestamp, value ->> 2 AS step FROM json_each(?1))
		SELECT p.run, (
			SELECT timestamp || ' ' || step || ' ' || m.is_nan || ' ' || quote(value) FROM metrics AS m
			WHERE m.run_id = p.run AND m.key = ?2 AND (m.timestamp, m.step) >= (p.timestamp, p.step)
			ORDER BY m.timestamp, m.step, m.value, m.is_nan LIMIT 1)
		FROM p`
)

// historyEnds finds the first and the last point of a metric in each run that has one, in the order of runIDs.
func (s *Store) historyEnds(ctx context.Context, runIDs []string, key string) ([]historyEnd, error) {
	var ends []historyEnd
	each := func(row scan) error {
		var e historyEnd
		var from, to spotOrNone
		if err := row(&e.run, &from.timestamp, &from.step, &to.timestamp, &to.step); err != nil || from.timestamp == nil || to.timestamp == nil {
			return err
		}
		e.first, e.last = spot{*from.timestamp, *from.step}, spot{*to.timestamp, *to.step}
		ends = append(ends, e)
		return nil
	}
	var err error
	if s.sqlite == nil {
		err = s.eachOnPostgres(ctx, each, endsOnPostgres, runIDs, key)
	} else {
		err = s.eachOnSQLite(ctx, each, endsOnSQLite, runIDs, key)
	}
	return ends, err
}

type spotOrNone struct{ timestamp, step *int64 }

// pointsAt finds the first point at or after each place, each point once, by run.
func (s *Store) pointsAt(ctx context.Context, key string, places []place) (map[string][]experiment.RunMetric, error) {
	found := map[string][]experiment.RunMetric{}
	add := func(run string, r metricRow) {
		h := found[run]
		if n := len(h); n > 0 && h[n-1].Timestamp == r.Timestamp && h[n-1].Step == r.Step {
			return
		}
		r.Key = key
		found[run] = append(h, experiment.RunMetric{RunID: run, Metric: r.domain()})
	}
	if s.sqlite == nil {
		runs, timestamps, steps := make([]string, len(places)), make([]int64, len(places)), make([]int64, len(places))
		for i, p := range places {
			runs[i], timestamps[i], steps[i] = p.run, p.timestamp, p.step
		}
		return found, s.eachOnPostgres(ctx, func(row scan) error {
			var run string
			var r metricRow
			err := row(&run, &r.Timestamp, &r.Step, &r.Value, &r.IsNan)
			add(run, r)
			return err
		}, pointsOnPostgres, runs, timestamps, steps, key)
	}
	list := make([][3]any, len(places))
	for i, p := range places {
		list[i] = [3]any{p.run, p.timestamp, p.step}
	}
	return found, s.eachOnSQLite(ctx, func(row scan) error {
		var run string
		var packed *string
		if err := row(&run, &packed); err != nil || packed == nil { // it was deleted since
			return err
		}
		r, err := unpacked(*packed)
		add(run, r)
		return err
	}, pointsOnSQLite, list, key)
}

// unpacked reads what pointsOnSQLite packs.
func unpacked(text string) (r metricRow, err error) {
	timestamp, rest, _ := strings.Cut(text, " ")
	step, rest, _ := strings.Cut(rest, " ")
	isNaN, value, _ := strings.Cut(rest, " ")
	var errs [3]error
	r.Timestamp, errs[0] = strconv.ParseInt(timestamp, 10, 64)
	r.Step, errs[1] = strconv.ParseInt(step, 10, 64)
	r.IsNan = isNaN == "1"
	r.Value, errs[2] = strconv.ParseFloat(value, 64)
	return r, errors.Join(errs[:]...)
}

// eachOnSQLite calls f with each row of a query whose first argument is a list.
func (s *Store) eachOnSQLite(ctx context.Context, f func(scan) error, query string, list any, key string) error {
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	pool, err := sqlstore.Pool(s.db)
	if err != nil {
		return err
	}
	return sqlstore.Explain(s.db, eachRow(ctx, pool, rowsQuery{query, f}, string(text), key))
}

// eachOnPostgres calls f with each row of a query.
func (s *Store) eachOnPostgres(ctx context.Context, f func(scan) error, query string, args ...any) error {
	return sqlstore.ReadPipeline(ctx, s.db, func(queue *pgx.Batch) {
		queue.Queue(query, args...).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				if err := f(rows.Scan); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	})
}
