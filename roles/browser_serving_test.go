package roles_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/trackingclient"
)

// dollarsOf reads whole dollars as pages write them in English.
func dollarsOf(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.NewReplacer("$", "", ",", "", "+", "", "−", "-").Replace(text), 64)
	require.NoError(t, err, text)
	return n
}

// servingViews are how the pages of serving are looked at: both languages, both colour schemes, narrow and wide.
var servingViews = []struct {
	taste string
	width int64
}{{"lang=en&theme=light", 1200}, {"lang=es&theme=dark", 360}, {"lang=es&theme=light", 1200}, {"lang=en&theme=dark", 360}}

// requireServingPage looks at a page of serving in every view.
func (s *stack) requireServingPage(b tab, source, path, name string) {
	b.t.Helper()
	for i, view := range servingViews {
		b.do(chromedp.EmulateViewport(view.width, 900))
		sign := "?"
		if strings.Contains(path, "?") {
			sign = "&"
		}
		b.open(s.serving(path + sign + view.taste))
		b.requireGoodView(source, fmt.Sprintf("%s-%d", name, i), view.width)
	}
	b.open(s.serving("/?lang=en&theme=light"))
	b.do(chromedp.EmulateViewport(1200, 900))
}

// requireGoodView looks at what is open: it fits, and nobody is kept out.
func (b tab) requireGoodView(source, name string, width int64) {
	b.t.Helper()
	require.Zero(b.t, evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`), "%s is wider than %d pixels", name, width)
	b.requireAccessible(source, name)
	b.picture(name)
}

// TestAPersonComparesVersionsAndTellsASale does what a person does on the pages of serving: chooses an example, mends a mistake that is told while typing, reads
// the price with its interval and reasons, compares versions, tells what the house was sold for, and looks whether the model is still right.
func TestAPersonComparesVersionsAndTellsASale(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, func(cfg *config.Config) { cfg.Serving.Shadow = "2" }, config.RoleNames()...)
	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	b.open(s.serving("/watch"))
	require.Contains(t, b.text("#nothing"), "No version of RealtorPriceModel answers yet")
	b.requireAccessible(source, "watch before the first promotion")
	for _, id := range []string{"first", "second", "third", "fourth"} {
		s.runDAG(t, id)
	}
	s.waitForVersion(t, "1")

	t.Run("nothing was asked yet", func(t *testing.T) {
		b := tab{t: t, ctx: b.ctx}
		b.open(s.serving("/watch"))
		require.Contains(t, b.text("#verdict"), "No prediction of version 1")
		require.Contains(t, b.text("#drift pre"), "curl -s "+s.serving("/predict"))
		s.requireServingPage(b, source, "/watch", "watch-empty")
	})
	t.Run("an example, a mistake, a price and why", func(t *testing.T) { exampleIsAppraised(t, s, tab{t: t, ctx: b.ctx}, source) })
	t.Run("two versions side by side", func(t *testing.T) { versionsAreCompared(t, s, tab{t: t, ctx: b.ctx}, source) })
	t.Run("what is unusual stands beside its field", func(t *testing.T) { unusualIsMarked(t, s, tab{t: t, ctx: b.ctx}, source) })
	t.Run("a sale is told", func(t *testing.T) { saleIsTold(t, s, tab{t: t, ctx: b.ctx}, source) })
	t.Run("drift is seen", func(t *testing.T) { driftIsSeen(t, s, tab{t: t, ctx: b.ctx}, source) })
}

func exampleIsAppraised(t *testing.T, s *stack, b tab, source string) {
	b.open(s.serving("/?lang=en"))
	b.follow("House with land")
	b.at(s.serving("/?example=land"))
	require.Equal(t, "17.84", evaluate[string](b, `document.querySelector("#acre_lot").value`))

	// What is wrong is told while somebody types, in the sentence of the server, and goes when it is mended. Nothing is recorded by that.
	b.replace("#bath", "two")
	require.Equal(t, "this must be a number, such as 2", b.text("#bath-error"))
	require.Equal(t, "true", evaluate[string](b, `document.querySelector("#bath").getAttribute("aria-invalid")`))
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll(".error").length`), "fields that nobody touched are left alone")
	b.requireAccessible(source, "a mistake while typing")
	b.click("#bath")
	evaluate[bool](b, `document.querySelector("#bath").select() === undefined`)
	b.press("2")
	require.Eventually(t, func() bool { return evaluate[bool](b, `document.querySelector("#bath-error") === null`) }, 10*time.Second, 20*time.Millisecond)
	s.requireRecorded(t, 0)

	b.replace("#as_of", "2026-01-01"+kb.Enter)
	price, id := b.text("#appraisal"), b.text("#request-id")
	records := s.recorded(t, id)
	require.Len(t, records, 1)
	require.Equal(t, money(records[0].Prediction), price)
	require.InDelta(t, 17.84, records[0].Listing.AcreLot, 0)
	require.Contains(t, b.text("#answered-by"), "Production")

	interval, err := s.servedModel(t, "1").Interval(records[0].Prediction, s.cfg.Serving.IntervalLevel)
	require.NoError(t, err)
	require.Contains(t, b.text("#interval"), "90%")
	require.InDelta(t, interval.Low, dollarsOf(t, b.text("#low")), 0.5)
	require.InDelta(t, interval.High, dollarsOf(t, b.text("#high")), 0.5)
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll(".result .range .asking").length`), "the asking price is a tick")

	// The steps lead from the average house to this one, the largest first.
	steps := evaluate[[]string](b, `[...document.querySelectorAll("#why tbody tr td:last-child")].map((e) => e.textContent)`)
	require.Greater(t, len(steps), 4)
	sum, last := dollarsOf(t, steps[0]), math.Inf(1)
	for _, step := range steps[1 : len(steps)-1] {
		dollars := dollarsOf(t, step)
		require.LessOrEqual(t, math.Abs(dollars), last)
		sum, last = sum+dollars, math.Abs(dollars)
	}
	require.InDelta(t, records[0].Prediction, sum, float64(len(steps)), "each is rounded to a dollar")
	require.InDelta(t, records[0].Prediction, dollarsOf(t, steps[len(steps)-1]), 0.5)
	for _, view := range servingViews {
		b.do(chromedp.EmulateViewport(view.width, 900))
		b.open(s.serving("/?" + view.taste))
		b.click("#listing button[type=submit]")
		b.do(chromedp.WaitVisible(chromedp.CSS("#why")))
		b.requireGoodView(source, "price-"+view.taste[5:7]+view.taste[14:], view.width)
	}
	b.do(chromedp.EmulateViewport(1200, 900))
}

func versionsAreCompared(t *testing.T, s *stack, b tab, source string) {
	b.open(s.serving("/?lang=en&theme=light"))
	b.replace("#as_of", "2026-01-01"+kb.Enter)
	first := b.text("#appraisal")
	before, err := s.predictions(t).Count(t.Context())
	require.NoError(t, err)
	require.True(t, evaluate[bool](b, `Boolean(document.querySelector("#compare").value = "2")`))
	b.click("#compare-now")
	require.Equal(t, first, b.text("#compared .sum"))
	other := b.text("#other-price")

	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	defer client.Close()
	version, err := client.Version(t.Context(), "RealtorPriceModel", "2")
	require.NoError(t, err)
	require.Contains(t, b.text("#compared"), string(version.Stage))
	status, body := post(t, s.serving("/models/2/predict"), with(t, map[string]any{"as_of": "2026-01-01"}))
	require.Equal(t, http.StatusOK, status, body)
	var want predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &want))
	require.Equal(t, money(want.Prediction), other)
	difference := regexp.MustCompile(`^\S+`).FindString(b.text("#difference"))
	require.InDelta(t, dollarsOf(t, other)-dollarsOf(t, first), dollarsOf(t, difference), 1)
	require.Equal(t, 2, evaluate[int](b, `document.querySelectorAll("#compared .range").length`))
	s.requireRecorded(t, before+2) // the first price, and the one that this test asked for itself
	b.requireGoodView(source, "compared", 1200)
}

func unusualIsMarked(t *testing.T, s *stack, b tab, source string) {
	b.open(s.serving("/?lang=en&theme=light"))
	b.replace("#acre_lot", "9000000")
	b.do(chromedp.Clear(chromedp.CSS("#prev_sold_date")))
	b.replace("#as_of", "2026-01-01"+kb.Enter)
	require.Contains(t, b.text("#acre_lot-warning"), "Training saw values from ")
	require.Equal(t, "Missing; counted as never sold.", b.text("#prev_sold_date-warning"))
	require.Contains(t, b.text("#unusual"), "unusual")
	b.requireGoodView(source, "unusual", 1200)
}

func saleIsTold(t *testing.T, s *stack, b tab, source string) {
	b.open(s.serving("/?lang=en&theme=light"))
	b.replace("#as_of", "2026-01-01"+kb.Enter)
	id := b.text("#request-id")
	s.waitForShipped(t)
	b.click(`a[href^="/predictions?request="]`)
	b.click("tbody a.sale")
	require.Contains(t, b.text("#known"), "Crossville")
	b.replace("#sale_price", "a lot")
	b.replace("#sold_at", "soon"+kb.Enter)
	require.Equal(t, "this must be a number, such as 394900", b.text("#sale_price-error"))
	require.Contains(t, b.text("#sold_at-error"), "this must be a date such as")
	b.requireGoodView(source, "sale-mistake", 1200)
	require.Nil(t, s.recorded(t, id)[0].Sale)
	b.replace("#sold_at", "2026-02-03")
	b.replace("#sale_price", "400000"+kb.Enter)
	require.Contains(t, b.text("#told-now"), "The sale price is recorded.")
	require.Equal(t, "$400,000.00", b.text("tbody a.sale"))
	sold := s.recorded(t, id)[0]
	require.NotNil(t, sold.Sale)
	require.InDelta(t, 400000, sold.Sale.Price, 0)
	require.Equal(t, "2026-02-03", sold.Sale.SoldAt.Value)

	b.open(s.serving("/watch"))
	require.Equal(t, "1", b.text("#told"))
	miss := sold.Prediction - 400000
	require.InDelta(t, math.Abs(miss), dollarsOf(t, b.text("#mae")), 0.01)
	require.InDelta(t, miss, dollarsOf(t, b.text("#bias")), 0.01)
	require.Contains(t, b.text("#rmse"), money(math.Abs(miss)))
	require.Contains(t, b.text("#rmse"), money(float64(s.servedModel(t, "1").Training.TestRMSE)))
	s.requireServingPage(b, source, "/predictions/sale?request="+id+"&item=0", "sale")
	s.requireServingPage(b, source, "/predictions?request="+id, "predictions-sold")
	status, page := send(t, http.MethodPost, s.serving("/predictions/sale?lang=es"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html"}}, "request=nobody&item=0&sale_price=5")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, page, "no hay ninguna predicción registrada")
}

// versionDrift is a version in GET /drift.
type versionDrift struct {
	Version string
	Windows []struct {
		Fields []struct {
			Field string
			PSI   float64
		}
	}
}

func driftIsSeen(t *testing.T, s *stack, b tab, source string) {
	b.open(s.serving("/watch?lang=en&theme=light&window=1h"))
	require.Contains(t, b.text("#verdict"), "too few to tell")
	for i := range 250 { // one house again and again is not what training saw
		ask(t, s, "/predict?explain=false", fmt.Sprint("seen-", i), nil)
	}
	b.open(s.serving("/watch?window=1h"))
	require.Contains(t, b.text("#verdict"), "drifted")
	require.Contains(t, b.text("#verdict"), "Bedrooms")
	require.Contains(t, b.text("#drift-house_size figcaption"), "drifted")

	var got struct{ Versions []versionDrift }
	_, body := get(t, s.serving("/drift"))
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	champion := slices.IndexFunc(got.Versions, func(v versionDrift) bool { return v.Version == "1" })
	require.GreaterOrEqual(t, champion, 0)
	for _, f := range got.Versions[champion].Windows[0].Fields {
		require.Equal(t, fmt.Sprintf("%.3f", f.PSI), b.text("#drift-"+f.Field+" .psi"))
		require.Equal(t, 1, evaluate[int](b, fmt.Sprintf(`document.querySelectorAll("#drift-%s .gauge .bound").length`, f.Field)))
	}
	b.click("#drift-bed summary")
	b.do(chromedp.WaitVisible(chromedp.CSS("#drift-bed table")))
	require.Regexp(t, `99(\.\d)?%`, b.text("#drift-bed table"))
	require.Eventually(t, func() bool {
		b.open(s.serving("/watch?window=1h"))
		return evaluate[bool](b, `document.querySelector("#roles dl") !== null`)
	}, 20*time.Second, 50*time.Millisecond, "the shadow is compared")
	require.Contains(t, b.text("#roles"), "shadow")
	s.requireServingPage(b, source, "/watch?window=1h", "watch")
	b.open(s.serving("/"))
	b.press("g")
	b.press("w")
	b.at(s.serving("/watch"))
}
