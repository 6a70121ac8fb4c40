package pipeline

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/web"
)

// batches is where the pages learn what DAG runs collected; datasetstore.Store is one.
type batches interface {
	Batches(ctx context.Context, limit, offset int) (list []datasetstore.Batch, total int, err error)
	Batch(ctx context.Context, dagRunID string) (*datasetstore.Batch, error)
}

// batchesShown is how many batches one page lists.
const batchesShown = 25

// dataPage is the content of the page that lists batches.
type dataPage struct {
	DAGID         string
	Batches       []batchLine
	Total         int
	Newer, Older  string // addresses; empty if there are none
	First, Last   int    // of the batches shown, counted from 1
	RequiredNames []string
}

// batchLine is a batch in the list.
type batchLine struct {
	Batch   batchView
	Nulls   nullStrip
	Price   *histogramView // nil without prices
	Median  float64
	Verdict *verdictView // nil before the gate has judged
}

// batchView is what is said about every batch.
type batchView struct {
	DAGRunID string
	Href     string
	Run      string // address of the DAG run
	Number   int
	Rows     int
	At       when
	SHA256   string
	Seen     *dataset.SeenBefore
}

// verdictView is what the gate said.
type verdictView struct {
	datasetstore.Verdict
	Train bool
	Href  string // of the decision run
}

func dataPath(dagRunID string) string { return "/data/" + url.PathEscape(dagRunID) }

// listData is GET /data.
func (p *pages) listData(c echo.Context) error {
	number := 1
	if asked := c.QueryParam("page"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > 1_000_000 {
			return apperror.New(apperror.Invalid, "page=%s is not understood; pages count from 1", asked)
		}
		number = n
	}
	offset := (number - 1) * batchesShown
	body := dataPage{DAGID: p.plan.Definition().ID, RequiredNames: property.Required()}
	if p.job.batches != nil {
		list, total, err := p.job.batches.Batches(c.Request().Context(), batchesShown, offset)
		if err != nil {
			return err
		}
		if body.Total = total; len(list) == 0 && number > 1 {
			return apperror.New(apperror.NotFound, "there is no page %d of batches", number)
		}
		for i := range list {
			body.Batches = append(body.Batches, p.batchLine(c, &list[i]))
		}
	}
	body.First, body.Last = offset+1, offset+len(body.Batches)
	if number > 1 {
		body.Newer = "/data?page=" + strconv.Itoa(number-1)
	}
	if body.Last < body.Total {
		body.Older = "/data?page=" + strconv.Itoa(number+1)
	}
	return p.write(c, http.StatusOK, "data", web.Page{Title: "Data", Body: body})
}

func (p *pages) batchLine(c echo.Context, b *datasetstore.Batch) batchLine {
	line := batchLine{Batch: p.batchView(b), Nulls: drawNulls(b.Profile), Verdict: p.verdictView(c, b)}
	if s := b.Profile.Of(property.Price); s != nil && s.Numbers != nil && s.Numbers.Values > 0 {
		small := drawHistogram(property.Price, s.Numbers, smallChart)
		line.Price = &small
		median, _ := s.Numbers.Quantile(0.5) // every profile has it
		line.Median = rounded(median)
	}
	return line
}

func (p *pages) batchView(b *datasetstore.Batch) batchView {
	return batchView{
		DAGRunID: b.DAGRunID, Href: dataPath(b.DAGRunID), Run: runPath(p.plan.Definition().ID, b.DAGRunID), Number: b.Number, Rows: b.Rows,
		At: when{b.FetchedAt}, SHA256: b.PayloadSHA256, Seen: b.Profile.SeenBefore,
	}
}

func (p *pages) verdictView(c echo.Context, b *datasetstore.Batch) *verdictView {
	if b.Verdict == nil {
		return nil
	}
	return &verdictView{
		Verdict: *b.Verdict, Train: b.Verdict.Decision == realtor.DecisionTrain, Href: p.header.Places(c.Request()).Run(b.Verdict.RunID),
	}
}
