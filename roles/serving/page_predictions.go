package serving

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/predictionstore"
)

// predictionsShown is how many predictions one page lists.
const predictionsShown = 50

// predictionsPage is the content of the list of predictions.
type predictionsPage struct {
	Request, Model, Version string // what is looked for
	Filtered                bool
	Rows                    []predictionLine
	First, Next             string
	Told                    bool // a sale price was recorded just now
	Pending                 bool // and nobody can say of which prediction
}

// predictionLine is one prediction, with where its version and run are shown.
type predictionLine struct {
	predictionstore.Record
	VersionHref, RunHref string
	Asking               *float64
	SaleHref             string   // where its sale price is told
	House                []string // what is known of the listing: its place
}

// predictions is GET /predictions?request=&model=&version=&before=: what was answered, newest first.
func (r *role) predictions(c echo.Context) error {
	query := c.QueryParams()
	page := predictionsPage{
		Request: strings.TrimSpace(query.Get("request")), Model: strings.TrimSpace(query.Get("model")), Version: strings.TrimSpace(query.Get("version")),
	}
	page.Told, page.Pending = query.Has(toldParam), query.Get(toldParam) == toldPending
	page.Filtered = page.Request != "" || page.Model != "" || page.Version != ""
	q := predictionstore.Query{RequestID: page.Request, ModelName: page.Model, ModelVersion: page.Version, Limit: predictionsShown}
	if before := query.Get("before"); before != "" {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil || n <= 0 {
			return apperror.New(apperror.Invalid, "before=%s is not the key of a prediction; go back to the first page", before)
		}
		q.Before = n
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), pageTimeout)
	defer cancel()
	found, next, err := r.store.Recent(ctx, q)
	if err != nil {
		return err
	}
	page.First, page.Next = pager(url.Values{"request": {page.Request}, "model": {page.Model}, "version": {page.Version}}, q.Before, next)
	places := r.header.Places(c.Request())
	for _, record := range found {
		page.Rows = append(page.Rows, lineOf(record, places))
	}
	return r.site.Write(c.Response(), c.Request(), http.StatusOK, "predictions", r.page(c, "Predictions", page))
}

// pager returns the addresses of the first page, unless this is it, and of the next one, if there is one.
func pager(query url.Values, before, next int64) (first, following string) {
	for name, values := range query {
		if values[0] == "" {
			query.Del(name)
		}
	}
	if before > 0 {
		first = "/predictions?" + query.Encode()
	}
	if next > 0 {
		query.Set("before", strconv.FormatInt(next, 10))
		following = "/predictions?" + query.Encode()
	}
	return first, following
}

func lineOf(record predictionstore.Record, places httpserver.Places) predictionLine {
	line := predictionLine{Record: record, VersionHref: places.Version(record.ModelName, record.ModelVersion), RunHref: places.Run(record.ModelRunID)}
	line.SaleHref = salePath + "?" + url.Values{"request": {record.RequestID}, "item": {strconv.Itoa(record.Item)}}.Encode()
	l := record.Listing
	if !property.IsNull(l.Price) {
		line.Asking = &l.Price
	}
	for _, text := range []property.Text{record.Street, l.City, l.State, l.ZipCode} {
		if text.Valid {
			line.House = append(line.House, text.Value)
		}
	}
	return line
}
