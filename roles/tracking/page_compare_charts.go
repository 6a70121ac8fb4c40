package tracking

import (
	"context"
	"strconv"

	"tasador/pkg/experiment"
)

// compareCharts draws the metrics that the table shows.
func (p *pages) compareCharts(ctx context.Context, body *comparePage, runs []*experiment.Run) error {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	for _, row := range body.Metrics.Rows {
		if len(body.Charts) == maxCompareCharts {
			body.MoreCharts = true
			return nil
		}
		chart, err := p.compareChart(ctx, row.Key, runs, ids)
		if err != nil {
			return err
		}
		body.Charts = append(body.Charts, chart)
	}
	return nil
}

func (p *pages) compareChart(ctx context.Context, key string, runs []*experiment.Run, ids []string) (compareChart, error) {
	chart := compareChart{Key: key}
	most := max(minComparePoints, maxComparePoints/len(runs))
	points, err := p.store.SampledHistories(ctx, ids, key, allSteps(), most)
	if err != nil {
		return chart, err
	}
	histories := map[string][]experiment.Metric{}
	steps, single := false, true
	for _, m := range points {
		histories[m.RunID] = append(histories[m.RunID], m.Metric)
		h := histories[m.RunID]
		single = single && len(h) == 1
		steps = steps || h[0].Step != m.Step
		if len(h) == most {
			chart.Most = most
		}
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
