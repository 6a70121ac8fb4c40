package roles_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
)

// browserLimit bounds everything that a browser does in a test.
const browserLimit = 3 * time.Minute

// browser starts Chromium with an empty profile. TEST_SCREENSHOTS names a folder that keeps pictures of the pages. More
// options may add to what it is started with.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	require.NoError(t, err, "Chromium is missing; run make test: it installs it")
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"),
		chromedp.Env("LANGUAGE=en"), chromedp.WindowSize(1440, 1000),
	)
	options = append(options, more...)
	ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// tab is a browser tab that fails the test when something does not work.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func (b tab) open(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

func (b tab) click(selector string) { b.t.Helper(); b.do(chromedp.Click(chromedp.CSS(selector))) }

// text waits until there is an element, and returns what it says. A page that is just being replaced takes its elements with it: then it is looked for again.
func (b tab) text(selector string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	for err != nil && strings.Contains(err.Error(), "No node with given id") {
		s, err = chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	}
	require.NoError(b.t, err)
	return s
}

// replace empties a field and types into it, as a person does.
func (b tab) replace(selector, text string) {
	b.t.Helper()
	field := chromedp.CSS(selector)
	b.do(chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// picture keeps a screenshot of the whole page if somebody wants to look at it.
func (b tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

func evaluate[T any](b tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err)
	return v
}

func TestAPersonAppraisesAHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	b := tab{t: t, ctx: browser(t)}
	b.open(s.serving("/"))
	require.Contains(t, b.text("#missing"), "No version of RealtorPriceModel is in Production yet")
	b.picture("before")
	source := axe(t)
	b.requireAccessible(source, "before the first promotion")

	for _, id := range []string{"first", "second", "third", "fourth"} {
		s.runDAG(t, id)
	}
	s.waitForVersion(t, "1")

	// First with mistakes, then well.
	b.open(s.serving("/"))
	b.replace("#bed", "four")
	b.replace("#acre_lot", " ")
	b.click("button[type=submit]")
	require.Equal(t, "this must be a number, such as 3", b.text("#bed-error"))
	require.Equal(t, "this field is required", b.text("#acre_lot-error"))
	require.Equal(t, "four", evaluate[string](b, `document.querySelector("#bed").value`))
	b.picture("mistakes")
	b.requireAccessible(source, "a form with mistakes")

	b.replace("#bed", "4")
	b.replace("#acre_lot", "0.75")
	b.replace("#city", "Springfield")
	b.replace("#as_of", "2026-01-01"+kb.Enter)
	price, requestID := b.text("#appraisal"), b.text("#request-id")
	require.Equal(t, "RealtorPriceModel version 1", b.text("#served"))
	require.Equal(t, "first", b.text("tr.promoted .id"))
	b.picture("price")
	b.requireAccessible(source, "a price")

	b.replace("#q", "0 new"+kb.Enter)
	require.Equal(t, "second", b.text(`form:has(#q[value="0 new"]) ~ .scroll tbody tr .id`))
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll("table.history tbody tr").length`))
	b.replace("#q", "no such thing"+kb.Enter)
	require.Contains(t, b.text(`form:has(#q[value="no such thing"]) ~ p.empty`), "No DAG run matches the filter.")
	b.requireAccessible(source, "a filter that nothing matches")
	b.picture("filtered")

	records := s.recorded(t, requestID)
	require.Len(t, records, 1, "what is shown is recorded, once")
	require.InDelta(t, 4, records[0].Listing.Bed, 0)
	require.InDelta(t, 0.75, records[0].Listing.AcreLot, 0)
	require.Equal(t, "Springfield", records[0].Listing.City.Value)
	require.Equal(t, "1", records[0].ModelVersion)
	require.Equal(t, money(records[0].Prediction), price)

	listing := model.Example()
	listing.Bed, listing.AcreLot = 4, 0.75
	want, err := s.servedModel(t, "1").Predict(listing, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, money(want.Price), price)

	for _, width := range []int64{360, 768, 1440} {
		b.do(chromedp.EmulateViewport(width, 900))
		for _, address := range []string{
			s.serving("/"), s.serving("/?lang=es"), s.serving("/docs"), s.serving("/?lang=en"), "http://" + s.cfg.Pipeline.Listen, s.cfg.Tracking.URI, s.cfg.Source.URI,
		} {
			b.open(address)
			over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
			require.Zero(t, over, "%s is wider than %d pixels", address, width)
		}
	}

	// Dark is chosen by the switch and remembered.
	b.do(chromedp.EmulateViewport(360, 800))
	b.open(s.serving("/?theme=dark"))
	b.picture("phone-dark")
	b.requireAccessible(source, "the form on a phone, dark")
	b.do(chromedp.EmulateViewport(1440, 1000))
	b.open(s.serving("/docs"))
	require.Equal(t, "dark", evaluate[string](b, `document.documentElement.dataset.theme`))
	require.Equal(t, "rgb(20, 23, 26)", evaluate[string](b, `getComputedStyle(document.body).backgroundColor`))
	b.picture("docs-dark")
	b.requireAccessible(source, "the API's page, dark")
}
