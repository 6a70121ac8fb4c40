//go:build bench

package bench_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
)

// growthSubject is tasador alone, over more and more runs.
const growthSubject = "growth"

// mostGrowth is how much longer the same page may take over the most runs than over the fewest.
const mostGrowth = 1.5

// growthPage is a page of 100 runs out of any number of them.
type growthPage struct {
	name   string
	filter string
	order  string
	after  int // a page of 100 after so many parts of a hundred of all runs
}

func growthPages(runs int) []growthPage {
	few := fmt.Sprintf("metrics.m < %g", float64(searchPage)/float64(runs))
	return []growthPage{
		{name: "filter", filter: few}, {name: "order", order: "metrics.m DESC"}, {name: "filter-and-order", filter: "metrics.loss >= 0", order: "metrics.m ASC"},
		{name: "deep", order: "metrics.m ASC", after: 50},
	}
}

// measureGrowth times the same pages, and asks the database for its plans.
func measureGrowth(t *testing.T, bin string, db database, m *trackingMeasurement) {
	s := startServer(t, bin, ours, db)
	c := newRest(t, s, db)
	id := fillBySQL(t, c, db, ours, m.Runs)
	store, err := trackingstore.Open(t.Context(), db.url, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for _, p := range growthPages(m.Runs) {
		token := ""
		if skip := m.Runs * p.after / 100; skip > 0 {
			token = tokenAfter(t, c, id, p, skip)
		}
		w := searchWork(id, searchPage, p.filter, p.order, token)
		c.load(t, 1, loadTime()/4, 1<<30, 1, func(int, int) work { return w }) // the pages of the database come into memory
		f, _ := c.load(t, 1, loadTime(), 1<<30, 1, func(int, int) work { return w })
		require.Zero(t, f.Failed)
		m.set("growth-"+p.name, f)
		q := experiment.RunSearch{ExperimentIDs: []string{id}}
		q.Filter, q.MaxResults, q.PageToken = p.filter, searchPage, token
		if p.order != "" {
			q.OrderBy = []string{p.order}
		}
		plans, err := store.Plans(t.Context(), q)
		require.NoError(t, err)
		for _, plan := range plans {
			m.Plans = append(m.Plans, p.name+": "+plan)
		}
	}
	s.stop(t)
}

// tokenAfter reads the runs of a search up to a place and returns the token of what follows.
func tokenAfter(t testing.TB, c *rest, id string, p growthPage, skip int) (token string) {
	t.Helper()
	for skip > 0 {
		page := min(skip, 10*deepPage)
		w := searchWork(id, page, p.filter, p.order, token)
		var body bytes.Buffer
		status, err := c.exchange(w.method, apiPath+w.path, w.body, &body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, body.String())
		token = tokenOf(body.Bytes())
		skip -= page
	}
	return token
}

// growths returns what was measured on a database, the fewest runs first.
func (b *trackingBook) growths(engine string) []*trackingMeasurement {
	all := b.of(engine, growthSubject)
	slices.SortFunc(all, func(x, y *trackingMeasurement) int { return x.Runs - y.Runs })
	return all
}

func (b *trackingBook) growthTable(t testing.TB, engine string) {
	t.Helper()
	all := b.growths(engine)
	if len(all) == 0 {
		return
	}
	say(t, "\n%s, tasador alone: pages of %d runs out of so many\n%-22s %9s %10s %10s", engine, searchPage, "", "runs", "p50 ms", "p95 ms")
	for i := range all[0].Figures {
		for _, m := range all {
			f := m.Figures[i]
			say(t, "%-22s %9d %10.3f %10.3f", f.Name, m.Runs, f.P50, f.P95)
		}
	}
	last := all[len(all)-1]
	say(t, "Plans over %d runs:", last.Runs)
	for _, plan := range last.Plans {
		say(t, "  %s", strings.Join(strings.Fields(strings.SplitN(plan, "\n", 2)[0]), " "))
		_, steps, _ := strings.Cut(plan, "\n")
		say(t, "%s", steps)
	}
}

func (b *trackingBook) growthLines(t testing.TB, engine string) {
	t.Helper()
	all := b.growths(engine)
	if len(all) < 2 {
		return
	}
	few, many := all[0], all[len(all)-1]
	for i, f := range many.Figures {
		line(t, fmt.Sprintf("tracking-%s-%s-%d-and-%d-runs", engine, f.Name, few.Runs, many.Runs), ms(f.P50), "few", ms(few.Figures[i].P50),
			f.P50/few.Figures[i].P50, most, mostGrowth)
	}
}
