package tracking

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"tasador/pkg/experiment"
	"tasador/web"
)

// experimentsPerPage and the like are small enough for a page that paints at once.
const experimentsPerPage = 100

// experimentsPage is the content of the first page.
type experimentsPage struct {
	Rows   []experimentLine
	Next   string // address of the next page; empty on the last one
	First  string // address of the first page; empty on it
	Runs   int64  // of the experiments shown
	Export string // what a client's shell needs
}

// experimentLine is one experiment in the list.
type experimentLine struct {
	ID, Name string
	Runs     int64
	Last     *runLine
}

// experiments is GET /.
func (p *pages) experiments(c echo.Context) error {
	ctx, token := c.Request().Context(), c.QueryParam("page")
	found, err := p.store.SearchExperiments(ctx, experiment.Search{
		PageRequest: experiment.PageRequest{MaxResults: experimentsPerPage, PageToken: token},
	})
	if err != nil {
		return err
	}
	ids := make([]string, len(found.Items))
	for i, e := range found.Items {
		ids[i] = e.ID
	}
	summaries, err := p.store.RunSummaries(ctx, ids)
	if err != nil {
		return err
	}
	body := experimentsPage{Export: "export MLFLOW_TRACKING_URI=" + p.trackingURI(c)}
	body.First, body.Next = pager(url.Values{}, "/", token, found.NextPageToken)
	for _, e := range found.Items {
		line := experimentLine{ID: e.ID, Name: e.Name}
		if s, ok := summaries[e.ID]; ok {
			newest := newRunLine(s.Last)
			line.Runs, line.Last = s.Runs, &newest
		}
		body.Runs += line.Runs
		body.Rows = append(body.Rows, line)
	}
	return p.write(c, http.StatusOK, "experiments", web.Page{Title: "Experiments", Body: body})
}

// pager returns the addresses of the first page, unless this is it, and of the next one, if there is one. query is kept.
func pager(query url.Values, path, token, next string) (firstPage, nextPage string) {
	if token != "" {
		firstPage = address(path, query)
	}
	if next != "" {
		query.Set("page", next)
		nextPage = address(path, query)
		query.Del("page")
	}
	return firstPage, nextPage
}

func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
