package serving

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// salePath is the page on which the price is told that a house was sold for.
const salePath = "/predictions/sale"

// What /predictions is told after that.
const (
	toldParam   = "told"
	toldPending = "pending"
)

// salePage is its content.
type salePage struct {
	Request, Item string
	Known         *predictionLine // nil if it cannot be found now
	SalePrice     saleField
	SoldAt        saleField
	Failed        *apperror.Sentence
}

type saleField struct {
	Value string
	Error *fieldError
}

// saleForm is GET /predictions/sale?request=ID&item=N.
func (r *role) saleForm(c echo.Context) error {
	p := salePage{Request: c.QueryParam("request"), Item: c.QueryParam("item")}
	return r.salePage(c, http.StatusOK, p)
}

// tellSale is POST /predictions/sale: POST /feedback for people.
func (r *role) tellSale(c echo.Context) error {
	typed, err := c.FormParams()
	if err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	p := salePage{
		Request: typed.Get("request"), Item: typed.Get("item"),
		SalePrice: saleField{Value: typed.Get("sale_price")}, SoldAt: saleField{Value: typed.Get("sold_at")},
	}
	body, err := json.Marshal(map[string]any{
		"request_id": p.Request, "item": typedNumber(p.Item), "sale_price": typedNumber(p.SalePrice.Value), "sold_at": strings.TrimSpace(p.SoldAt.Value),
	})
	if err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	told, problems := decodeFeedback(body)
	for i, problem := range problems {
		switch problem.Loc[len(problem.Loc)-1] {
		case "sale_price":
			p.SalePrice.Error = &problems[i]
		case "sold_at":
			p.SoldAt.Error = &problems[i]
		default:
			p.Failed = &apperror.Sentence{Format: problem.Format, Args: problem.Args}
		}
	}
	if len(problems) > 0 {
		return r.salePage(c, http.StatusUnprocessableEntity, p)
	}
	unsure, err := r.tell(c.Request().Context(), told)
	if err != nil {
		p.Failed = sentenceOf(err)
		return r.salePage(c, statusOf(err), p)
	}
	after := url.Values{"request": {told.RequestID}, toldParam: {"yes"}}
	if unsure != nil {
		after.Set(toldParam, toldPending)
	} else if _, err := r.predictionOf(c.Request().Context(), told.RequestID, told.Item); err != nil { // so that the next page shows the price
		after.Set(toldParam, toldPending)
	}
	return c.Redirect(http.StatusSeeOther, "/predictions?"+after.Encode())
}

// typedNumber is a number if a text is one that JSON can hold, else the text.
func typedNumber(text string) any {
	text = strings.TrimSpace(text)
	if n, ok := parseNumber(text); ok && !math.IsInf(n, 0) {
		return n
	}
	return text
}

// salePage shows the form beside the prediction that it is about.
func (r *role) salePage(c echo.Context, status int, p salePage) error {
	if item, err := strconv.Atoi(p.Item); err == nil {
		if record, err := r.predictionOf(c.Request().Context(), p.Request, item); err == nil && record != nil {
			line := lineOf(*record, r.header.Places(c.Request()))
			p.Known = &line
		}
	}
	return r.site.Write(c.Response(), c.Request(), status, "sale", r.page(c, "Sale price", p))
}
