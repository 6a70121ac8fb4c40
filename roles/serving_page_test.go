package roles_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
)

func historyIsShown(t *testing.T, s *stack, m *model.Model) {
	status, body := get(t, s.serving("/"))
	require.Equal(t, http.StatusOK, status)
	_, body, found := strings.Cut(body, `<table class="history">`)
	require.True(t, found)
	last := -1
	for _, part := range []string{
		"Dag_Run_ID", "Decision", "Decision Reason", "Model name (if trained)", "Model Version (if promoted)", "Current RMSE", "Previous RMSE", "Promoted",
		"fourth", "split_data", "1500 nuevos &gt; 1000", "RealtorPriceModel",
		"third", "end_no_train", "10 nuevos ≤ 1000", "second", "end_no_train", "0 new records",
		"first", "split_data", "1500 nuevos &gt; 1000", "RealtorPriceModel", ">1</a></td>", "yes",
	} {
		at := strings.Index(body[last+1:], part)
		require.GreaterOrEqual(t, at, 0, "%s is missing or in the wrong place in %s", part, body)
		last += 1 + at
	}
	require.Contains(t, body, strings.TrimPrefix(money(float64(m.Training.TestRMSE)), "$"), "the RMSE of the first run")
}

func pagesAskNobodyElse(t *testing.T, s *stack) {
	for _, path := range []string{"/", "/?lang=es", "/docs", "/nowhere", "/watch", "/predictions/sale?request=x&item=0"} {
		_, body := send(t, http.MethodGet, s.serving(path), http.Header{"Accept": {"text/html"}}, "")
		for _, attribute := range []string{`src="`, `<link rel="stylesheet" href="`, `<link rel="icon" href="`} {
			for _, part := range strings.Split(body, attribute)[1:] {
				require.True(t, strings.HasPrefix(part, "/static/"), "%s: %.60s", path, part)
			}
		}
		body = strings.ReplaceAll(body, `<script src="/static/`, "") // scripts are files of this server
		for _, forbidden := range []string{"<script", "<style", ` style="`, "onclick", "@import"} {
			require.NotContains(t, body, forbidden)
		}
	}
}

func TestThePageWithoutScript(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	m := s.servedModel(t, "1")

	t.Run("the example stands in the form", func(t *testing.T) {
		status, body := get(t, s.serving("/"))
		require.Equal(t, http.StatusOK, status)
		for name, v := range map[string]string{
			"brokered_by": "74802", "price": "394900", "bed": "3", "bath": "2", "acre_lot": "1.17", "street": "1589662", "city": "Crossville",
			"state": "Tennessee", "zip_code": "38571", "house_size": "2056", "prev_sold_date": "2021-12-01",
		} {
			require.Contains(t, body, fmt.Sprintf(`name="%s" value="%s"`, name, v))
		}
		require.Contains(t, body, "<option selected>for_sale</option>")
		require.Contains(t, body, "RealtorPriceModel version 1")
	})

	form := url.Values{"status": {"for_sale"}, "bed": {"4"}, "bath": {" 2.5 "}, "acre_lot": {"0.5"}, "house_size": {"1e3"}, "city": {`"><script>`}, "as_of": {"2026-01-01"}}
	listing := model.Example()
	listing.Bed, listing.Bath, listing.AcreLot, listing.HouseSize, listing.PrevSoldDate.Valid = 4, 2.5, 0.5, 1000, false
	want, err := m.Predict(listing, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)

	t.Run("the price is shown and what was typed is kept", func(t *testing.T) {
		status, body := submit(t, s.serving("/"), form)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `id="appraisal">`+money(want.Price)+"<")
		require.Contains(t, body, `name="bed" value="4"`)
		require.Contains(t, body, `name="house_size" value="1e3"`)
		require.NotContains(t, body, "<script>")
		s.requireRecorded(t, 1)
	})

	t.Run("errors stand beside their fields", func(t *testing.T) {
		bad := url.Values{"status": {"for_sale"}, "bed": {"three"}, "bath": {"-1"}, "house_size": {"NaN"}, "prev_sold_date": {"31/12/2020"}}
		status, body := submit(t, s.serving("/"), bad)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		for field, says := range map[string]string{
			"bed": "this must be a number, such as 3", "bath": "this must not be negative", "acre_lot": "this field is required",
			"house_size": "this must be a number, such as 2056", "prev_sold_date": "this must be a date such as 2021-12-01",
		} {
			require.Contains(t, body, `id="`+field+`-error">`+says)
			require.Contains(t, body, `aria-describedby="`+field+`-error"`)
		}
		require.Contains(t, body, `name="bed" value="three"`)
		require.NotContains(t, body, `id="appraisal"`)
		s.requireRecorded(t, 1)
	})

	t.Run("a form that is none is refused", func(t *testing.T) {
		for name, c := range map[string]struct{ kind, body, says string }{
			"escapes":   {"application/x-www-form-urlencoded", "bed=%zz", "cannot be read"},
			"multipart": {"multipart/form-data; boundary=x", "garbage", "cannot be read"},
			"too long":  {"application/x-www-form-urlencoded", "city=" + strings.Repeat("x", 10<<20), "larger than"},
			"JSON":      {"application/json", example, "this field is required"},
		} {
			status, body := send(t, http.MethodPost, s.serving("/"), http.Header{"Content-Type": {c.kind}, "Accept": {"text/html"}}, c.body)
			require.GreaterOrEqual(t, status, 400, name)
			require.Less(t, status, 500, name)
			require.Contains(t, body, c.says, name)
			require.Contains(t, body, "<html", name)
		}
		s.requireRecorded(t, 1)
	})

	t.Run("an example is chosen by a link", func(t *testing.T) {
		_, body := get(t, s.serving("/?example=large"))
		require.Contains(t, body, `name="house_size" value="6000"`)
		require.Contains(t, body, `<a href="/?example=large" aria-current="true">`)
	})

	t.Run("another version says its price beside, and only the first is recorded", func(t *testing.T) {
		both := url.Values{"compare": {"1"}}
		for name, values := range form {
			both[name] = values
		}
		status, body := submit(t, s.serving("/"), both)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `id="other-price">`+money(want.Price)+"<")
		both.Set("compare", "77")
		status, body = submit(t, s.serving("/"), both)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `id="compare-problem">version 77: `)
		require.Contains(t, body, `id="appraisal">`+money(want.Price)+"<")
		s.requireRecorded(t, 3)
	})

	t.Run("a form is checked without a record", func(t *testing.T) {
		for lang, says := range map[string]string{"en": "this must be a number, such as 3", "es": "debe ser un número, por ejemplo 3"} {
			status, body := send(t, http.MethodPost, s.serving("/check"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {"lang=" + lang}}, "bed=three&status=for_sale&bath=1&acre_lot=1&house_size=900")
			require.Equal(t, http.StatusOK, status)
			require.JSONEq(t, `{"errors": {"bed": "`+says+`"}}`, body)
		}
		status, _ := send(t, http.MethodPost, s.serving("/check"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "bed=%zz")
		require.Equal(t, http.StatusBadRequest, status)
		s.requireRecorded(t, 3)
	})

	t.Run("in Spanish by address, by browser and as chosen before", func(t *testing.T) {
		for name, ask := range map[string]func() (int, string){
			"address": func() (int, string) { return get(t, s.serving("/?lang=es")) },
			"browser": func() (int, string) {
				return send(t, http.MethodGet, s.serving("/"), http.Header{"Accept-Language": {"es-CO,es;q=0.9,en;q=0.5"}}, "")
			},
			"choice": func() (int, string) {
				return send(t, http.MethodGet, s.serving("/"), http.Header{"Cookie": {"lang=es"}, "Accept-Language": {"en"}}, "")
			},
		} {
			_, body := ask()
			require.Contains(t, body, `<html lang="es"`, name)
			require.Contains(t, body, "¿Cuánto vale esta casa?", name)
			require.Contains(t, body, "1500 nuevos &gt; 1000", "reasons are data")
		}
		_, body := send(t, http.MethodPost, s.serving("/?lang=es"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
		spanish := strings.NewReplacer(",", ".", ".", ",").Replace(money(want.Price))
		require.Contains(t, body, `id="appraisal">`+spanish+"<")
		_, body = send(t, http.MethodGet, s.serving("/"), http.Header{"Accept-Language": {"fr"}}, "")
		require.Contains(t, body, "What is this house worth?")
	})
}
