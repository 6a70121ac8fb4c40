package roles_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
)

// press types keys, one after the other, wherever the focus is. As on a keyboard, a key that the page takes for itself writes nothing; chromedp's own
// events would write it all the same.
func (b tab) press(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down := *events[0]
		if len(events) == 3 { // with the character between down and up
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		for _, event := range []input.DispatchKeyEventParams{down, *events[len(events)-1]} {
			for _, change := range options {
				change(&event)
			}
			if event.Modifiers&int64(chromedp.ModifierCtrl) != 0 {
				event.Text = ""
			}
			b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, event)
				return err
			}))
		}
	}
}

// at waits until the address of the page begins with another.
func (b tab) at(address string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return strings.HasPrefix(evaluate[string](b, `document.readyState === "complete" ? location.href : ""`), address)
	}, 20*time.Second, 20*time.Millisecond, "the page is not %s", address)
}

func (b tab) focused() string { return evaluate[string](b, `document.activeElement.id`) }

// standings reads the header: what it says of each server.
func (b tab) standings() map[string]string {
	b.t.Helper()
	return evaluate[map[string]string](b, `Object.fromEntries([...document.querySelectorAll("header [data-server]")].map((e) => [e.dataset.server, e.title + " " + e.querySelector(".standing").textContent]))`)
}

// waitStandings loads a page until the header says so of the servers.
func (b tab) waitStandings(address string, want map[string]string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		b.open(address)
		for role, says := range b.standings() {
			if want[role] != says {
				return false
			}
		}
		return true
	}, 30*time.Second, 100*time.Millisecond, "the header does not say %v", want)
}

func TestTheHeaderOfEveryPageTellsHowThingsStand(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	b := tab{t: t, ctx: browser(t)}
	early := map[string]string{"serving": "serving: not ready (model) !", "pipeline": "pipeline: ready ✓", "tracking": "tracking: ready ✓"}
	ready := map[string]string{"serving": "serving: ready ✓", "pipeline": "pipeline: ready ✓", "tracking": "tracking: ready ✓"}
	b.waitStandings(s.pipeline("/"), early)
	require.Equal(t, "Production: no version yet", b.text("#production-version"))
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	first := map[string]string{"serving": s.serving("/"), "pipeline": s.pipeline("/"), "tracking": s.cfg.Tracking.URI + "/", "source": s.cfg.Source.URI + "/"}
	for role, address := range first {
		require.Eventually(t, func() bool { // what a page says of Production is some seconds old
			b.open(address)
			return b.text("#production-version") == "Production: RealtorPriceModel 1"
		}, 30*time.Second, 100*time.Millisecond, "the header of %s does not say which version is in Production", role)
		b.waitStandings(address, ready)
		b.click("#production-version a")
		b.at(s.cfg.Tracking.URI + "/models/RealtorPriceModel#version-1")
		require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll("tr:target#version-1").length`))
	}
	for _, page := range []string{s.pipeline("/dags/realtor_price_model/runs/night"), s.pipeline("/nothing"), s.serving("/docs"), s.serving("/predictions"), s.serving("/nothing"), s.cfg.Tracking.URI + "/runs/nobody"} {
		b.waitStandings(page, ready)
	}
	b.waitStandings(s.serving("/?lang=es"), map[string]string{"serving": "serving: listo ✓", "pipeline": "pipeline: listo ✓", "tracking": "tracking: listo ✓"})
}

// TestTheHeaderWaitsForNobody runs a pipeline whose tracking takes connections and never answers.
func TestTheHeaderWaitsForNobody(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ln.Close()) }) // the kernel takes the connections; nobody ever reads from them
	s := startStack(t, func(cfg *config.Config) { cfg.Tracking.URI = "http://" + ln.Addr().String() }, config.RolePipeline)
	client := &http.Client{Timeout: 2 * time.Second} // less than the limit of the questions that the header asks
	res, err := client.Get(s.pipeline("/?lang=en"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	status, page := get(t, s.pipeline("/?lang=en"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, `title="tracking: unknown, it does not answer"`)
	require.Contains(t, page, `title="Tracking does not answer, so nobody knows which version is in Production."`)
}

// TestUnknownAddressesAreText asks as a reader on another machine does: an address of loopback would lead to the reader's own.
func TestUnknownAddressesAreText(t *testing.T) {
	change := func(cfg *config.Config) {
		cfg.HTTP.AllowedHosts = []string{"pipeline.example"}
		cfg.Serving.PublicURL = "https://serving.example/"
		cfg.Tracking.URI = "http://user:secret@127.0.0.1:1"
	}
	s := startStack(t, change, config.RolePipeline)
	ask := func(host string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.pipeline("/?lang=en"), http.NoBody)
		require.NoError(t, err)
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		page, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		return string(page)
	}
	far := ask("pipeline.example")
	require.Contains(t, far, `<a href="https://serving.example/"`)
	require.Regexp(t, `<span class="nowhere"><span data-server="tracking"`, far)
	require.NotContains(t, far, "127.0.0.1")
	near := ask("localhost")
	require.Contains(t, near, `<a href="http://127.0.0.1:1/"`)
	require.NotContains(t, near, "secret")
}

func TestAPersonUsesOnlyTheKeyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	b := tab{t: t, ctx: browser(t)}

	// The first stop is a link past the header.
	b.open(s.serving("/"))
	b.press(kb.Tab)
	require.Equal(t, "skip", evaluate[string](b, `document.activeElement.className`))
	require.NotEqual(t, "none", evaluate[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "the focus can be seen")
	b.picture("keys-skip")
	b.press(kb.Enter)
	require.Equal(t, "main", b.focused())

	// To the filter; what is typed there is text.
	b.press("/")
	require.Equal(t, "q", b.focused())
	b.press("g d?/")
	require.Equal(t, "g d?/", evaluate[string](b, `document.querySelector("#q").value`))
	require.False(t, evaluate[bool](b, `document.querySelector("#keys").open`))
	b.press(kb.Enter)
	b.at(s.serving("/?q="))

	// From page to page; not with Control.
	b.press("g")
	b.press("d", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	b.press("g")
	b.press("d")
	b.at(s.pipeline("/"))
	b.press("g")
	b.press("m")
	b.at(s.cfg.Tracking.URI + "/models")
	b.press("g")
	b.press("a")
	b.at(s.serving("/"))

	// The list of keys gives the focus back.
	b.do(chromedp.Focus(chromedp.CSS("button[type=submit]")))
	evaluate[bool](b, `Boolean(document.activeElement.id = "before")`)
	b.press("?")
	require.True(t, evaluate[bool](b, `document.querySelector("#keys").matches(":modal")`))
	b.requireAccessible(axe(t), "the list of keys")
	b.picture("keys")
	b.press(kb.Escape)
	require.False(t, evaluate[bool](b, `document.querySelector("#keys").open`))
	require.Equal(t, "before", b.focused())
	b.click(`footer a[href="#keys"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS("#keys")))
	b.click("#keys [data-close]")
	require.False(t, evaluate[bool](b, `document.querySelector("#keys").open`))

	// Without script it is a part of the page.
	plain := tab{t: t, ctx: browser(t, chromedp.Flag("blink-settings", "scriptEnabled=false"))}
	plain.open(s.serving("/"))
	require.Equal(t, "none", evaluate[string](plain, `getComputedStyle(document.querySelector("#keys")).display`))
	plain.click(`footer a[href="#keys"]`)
	require.Equal(t, "block", evaluate[string](plain, `getComputedStyle(document.querySelector("#keys")).display`))
	plain.picture("keys-without-script")
	plain.click("#keys [data-close]")
	require.Equal(t, "none", evaluate[string](plain, `getComputedStyle(document.querySelector("#keys")).display`))
}

func TestTimesAreThoseOfTheReader(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	night, _ := ended(t, s.runs(t), "night")
	at := night.StartedAt
	bogota, err := time.LoadLocation("America/Bogota")
	require.NoError(t, err)
	there := tab{t: t, ctx: browser(t, chromedp.Env("TZ=America/Bogota"))}
	plain := tab{t: t, ctx: browser(t, chromedp.Env("TZ=America/Bogota"), chromedp.Flag("blink-settings", "scriptEnabled=false"))}
	const run = "/dags/realtor_price_model/runs/night"
	for lang, form := range map[string]string{"en": "Jan 2, 2006, 15:04:05", "es": "2 Jan 2006, 15:04:05"} {
		want := func(zone *time.Location) string {
			text := at.In(zone).Format(form)
			if lang == "es" {
				for english, spanish := range map[string]string{"Jan": "ene", "Apr": "abr", "Aug": "ago", "Sep": "sept", "Dec": "dic"} {
					text = strings.Replace(text, english, spanish, 1)
				}
				text = strings.ToLower(text)
			}
			return text
		}
		startText := `[...document.querySelectorAll("#facts dt")].find((d) => ["Start", "Inicio"].includes(d.textContent)).nextElementSibling.firstElementChild`
		there.open(s.pipeline(run + "?lang=" + lang))
		require.Equal(t, want(bogota), evaluate[string](there, startText+".textContent"))
		require.Equal(t, want(time.UTC)+" UTC", evaluate[string](there, startText+".title"))
		require.Contains(t, there.text("#zone"), "America/Bogota")
		plain.open(s.pipeline(run + "?lang=" + lang))
		require.Equal(t, want(time.UTC)+" UTC", evaluate[string](plain, startText+".textContent"))
		require.Contains(t, plain.text("#zone"), "UTC")
	}
	there.open(s.pipeline(run + "/tasks/extract_data?lang=en"))
	line := evaluate[string](there, `document.querySelector("#lines time").textContent`)
	stamp, err := time.Parse(time.RFC3339Nano, evaluate[string](there, `document.querySelector("#lines time").dateTime`))
	require.NoError(t, err)
	require.Equal(t, stamp.In(bogota).Format("15:04:05.000"), line)
}

func TestAPersonFollowsTheIds(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	s.predictOne(t)
	trained := s.logged(t, "night")
	b := tab{t: t, ctx: browser(t)}

	// DAG run → task → experiment run → model version → predictions.
	b.open(s.pipeline("/dags/realtor_price_model/runs/night"))
	b.follow("decide_to_train")
	b.click("#experiment-run")
	b.at(s.cfg.Tracking.URI + "/runs/")
	require.Equal(t, "decision", b.text("h1"))
	b.click("a.dag-run") // and back
	b.at(s.pipeline("/dags/realtor_price_model/runs/night"))
	b.follow("train_and_register")
	b.picture("task-links")
	b.click("#experiment-run")
	b.at(s.cfg.Tracking.URI + "/runs/" + trained.run.ID)
	b.follow("RealtorPriceModel 1")
	b.at(s.cfg.Tracking.URI + "/models/RealtorPriceModel#version-1")
	b.click("#version-1 a.uses")
	b.at(s.serving("/predictions?"))
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll("tbody tr").length`))
	b.picture("predictions")

	// And from the prediction back to the DAG run.
	b.click("a.version")
	b.at(s.cfg.Tracking.URI + "/models/RealtorPriceModel#version-1")
	b.follow("train__night")
	b.at(s.cfg.Tracking.URI + "/runs/" + trained.run.ID)
	b.click("a.dag-run")
	b.at(s.pipeline("/dags/realtor_price_model/runs/night"))

	// From the history of serving, too.
	for selector, address := range map[string]string{
		".history td.id a": s.pipeline("/dags/realtor_price_model/runs/night"), ".history td.word a": s.cfg.Tracking.URI + "/runs/",
		".history a.version": s.cfg.Tracking.URI + "/models/RealtorPriceModel#version-1", "#served a": s.cfg.Tracking.URI + "/models/RealtorPriceModel#version-1",
	} {
		b.open(s.serving("/"))
		b.click(selector)
		b.at(address)
	}
}

// TestSharedPagesFit looks at the pages that lead from one server to another, in both languages and themes.
func TestSharedPagesFit(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "night")
	s.waitForVersion(t, "1")
	b := tab{t: t, ctx: browser(t)}
	s.predictOne(t)
	source := axe(t)
	for _, view := range []string{"lang=en&theme=light", "lang=es&theme=dark"} {
		for _, width := range []int64{360, 1440} {
			b.do(chromedp.EmulateViewport(width, 900))
			for name, page := range map[string]string{
				"predictions": s.serving("/predictions?version=1&" + view), "none": s.serving("/predictions?version=9&" + view), "appraise": s.serving("/?" + view),
				"task": s.pipeline("/dags/realtor_price_model/runs/night/tasks/train_and_register?" + view), "model": s.cfg.Tracking.URI + "/models/RealtorPriceModel?" + view,
				"source": s.cfg.Source.URI + "/?" + view,
			} {
				b.open(page)
				require.Zero(t, evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`), "%s is wider than %d pixels", page, width)
				b.requireAccessible(source, page)
				b.picture(name + "-" + view[5:7] + "-" + map[int64]string{360: "phone", 1440: "wide"}[width])
			}
		}
	}
}

// predictOne sends the form once.
func (s *stack) predictOne(t *testing.T) {
	t.Helper()
	listing := url.Values{}
	example := model.Example()
	listing.Set("status", example.Status.Value)
	for name, value := range map[string]string{"bed": "3", "bath": "2", "acre_lot": "1.17", "house_size": "2056"} {
		listing.Set(name, value)
	}
	status, answered := submit(t, s.serving("/"), listing)
	require.Equal(t, http.StatusOK, status, answered)
}
