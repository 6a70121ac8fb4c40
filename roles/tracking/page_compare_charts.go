package tracking

import (
	"context"
	"strconv"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/experiment"
)

// chartsAtOnce is how many charts are read at the same time.
const chartsAtOnce = 4

// compareCharts draws the metrics that the table shows.
func (p *pages) compareCharts(ctx context.Context, body *comparePage, runs []*experiment.Run) error {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	rows := body.Metrics.Rows
	body.MoreCharts = len(rows) > maxCompareCharts
	rows = rows[:min(maxCompareCharts, len(rows))]
	body.Charts = make([]compareChart, len(rows))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(chartsAtOnce)
	for i, row := range rows {
		reading.Go(func() (err error) {
			body.Charts[i], err = p.compareChart(ctx, row.Key, runs, ids)
			return err
		})
	}
	return reading.Wait()
}

func (p *pages) compareChart(ctx context.Context, key string, runs []*experiment.Run, ids []string) (compareChart, error) {
	chart := compareChart{Key: key}
	most := max(minComparePoints, maxComparePoints/len(runs))
	points, more, err := p.store.HistoryOutlines(ctx, ids, key, most)
	if err != nil {
		return chart, err
	}
	if more {
		chart.Most = most
	}
	histories := map[string][]experiment.Metric{}
	steps, single := false, true
	for _, m := range points {
		histories[m.RunID] = append(histories[m.RunID], m.Metric)
		h := histories[m.RunID]
		single = single && len(h) == 1
		steps = steps || h[0].Step != m.Step
	}
	for i, id := range ids {
		if h := histories[id]; len(h) > 0 {
			chart.Series = append(chart.Series, series{Number: i + 1, Name: runs[i].Name, Points: pointsOf(h, steps)})
		}
	}
	if single {
		chart.Bars = drawBars(chart.Series)
	} else {
		chart.Lines = drawLines(chart.Series)
	}
	return chart, nil
}

// pointsOf places points over their steps; without steps, over the seconds since the first one of their run.
func pointsOf(history []experiment.Metric, steps bool) []point {
	points := make([]point, len(history))
	for i, m := range history {
		points[i] = point{X: float64(m.Step), Y: m.Value, At: strconv.FormatInt(m.Step, 10)}
		if !steps {
			const ms = 1000
			seconds := float64(m.Timestamp-history[0].Timestamp) / ms
			points[i].X, points[i].At = seconds, strconv.FormatFloat(seconds, 'f', -1, 64)+" s"
		}
	}
	return points
}
