package tracking_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/registry"
)

// send posts a form as a browser does, from a page of origin, and follows no redirect.
func (s server) send(t *testing.T, path, origin string, form url.Values) (status int, body, location string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.uri+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", origin)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(content), resp.Header.Get("Location")
}

// hidden returns the hidden fields of the only form of a page.
func hidden(page string) url.Values {
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// shownMoves returns the rows of the table of what would change, as words.
func shownMoves(page string) (rows []string) {
	_, table, _ := strings.Cut(page, `id="changes"`)
	table, _, _ = strings.Cut(table, "</table>")
	for _, m := range regexp.MustCompile(`(?s)<tr>(.*?)</tr>`).FindAllStringSubmatch(table, -1) {
		if text := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], " ")), " "); !strings.HasPrefix(text, "What") {
			rows = append(rows, text)
		}
	}
	return rows
}

func newModel(t *testing.T, s server, name string, versions int) {
	t.Helper()
	_, err := s.client().CreateModel(t.Context(), name, "", nil)
	require.NoError(t, err)
	for range versions {
		_, err := s.client().CreateVersion(t.Context(), registry.NewVersion{Name: name, Source: "s3://bucket/model"})
		require.NoError(t, err)
	}
}

func TestAMoveIsShownBeforeItIsMade(t *testing.T) {
	s := start(t)
	c := s.client()
	newModel(t, s, "prices", 3)
	stages := func() string {
		var list []string
		for _, v := range []string{"1", "2", "3"} {
			got, err := c.Version(t.Context(), "prices", v)
			require.NoError(t, err)
			list = append(list, string(got.Stage)+fmt.Sprint(got.Aliases))
		}
		return strings.Join(list, " ")
	}
	for _, v := range []string{"1", "2"} {
		_, err := c.TransitionStage(t.Context(), "prices", v, registry.Production, false)
		require.NoError(t, err)
	}
	before := stages()
	form := url.Values{"matter": {"stage"}, "version": {"3"}, "stage": {"Production"}, "archive": {"yes"}}
	status, page, _ := s.send(t, "/models/prices", s.uri, form)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []string{"version 1 Production Archived", "version 2 Production Archived", "version 3 no stage Production"}, shownMoves(page))
	require.Equal(t, before, stages(), "nothing has changed yet")

	// Somebody else is faster: the page says so and asks again.
	agreed := hidden(page)
	_, err := c.TransitionStage(t.Context(), "prices", "1", registry.Staging, false)
	require.NoError(t, err)
	before = stages()
	status, page, _ = s.send(t, "/models/prices", s.uri, agreed)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, `id="changed"`)
	require.Equal(t, []string{"version 2 Production Archived", "version 3 no stage Production"}, shownMoves(page))
	require.Equal(t, before, stages())

	status, _, to := s.send(t, "/models/prices", s.uri, hidden(page))
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/models/prices?moved=yes", to)
	require.Equal(t, "Staging[] Archived[] Production[]", stages())

	for _, step := range []struct {
		form url.Values
		then string
	}{
		{url.Values{"matter": {"alias"}, "alias": {"@champion"}, "version": {"2"}}, "Staging[] Archived[champion] Production[]"},
		{url.Values{"matter": {"alias"}, "alias": {"champion"}, "version": {"3"}}, "Staging[] Archived[] Production[champion]"},
		{url.Values{"matter": {"alias"}, "alias": {"champion"}, "remove": {"yes"}}, "Staging[] Archived[] Production[]"},
	} {
		_, page, _ = s.send(t, "/models/prices", s.uri, step.form)
		require.NotEmpty(t, shownMoves(page))
		require.NotEqual(t, step.then, stages())
		status, _, _ = s.send(t, "/models/prices", s.uri, hidden(page))
		require.Equal(t, http.StatusSeeOther, status)
		require.Equal(t, step.then, stages())
	}
}

func TestMovesThatCannotBe(t *testing.T) {
	s := start(t)
	newModel(t, s, "prices", 1)
	for _, wrong := range []struct {
		form   url.Values
		status int
		says   string
	}{
		{url.Values{"matter": {"stage"}, "stage": {"Production"}}, 422, "Choose a version."},
		{url.Values{"matter": {"stage"}, "stage": {"Production"}, "version": {"7"}}, 422, "This model has no version 7."},
		{url.Values{"matter": {"stage"}, "stage": {"None"}, "version": {"1"}, "archive": {"yes"}}, 422, "That is so already"},
		{url.Values{"matter": {"stage"}, "stage": {"Nowhere"}, "version": {"1"}}, 400, "This form names no stage"},
		{url.Values{"matter": {"alias"}, "alias": {"latest"}, "version": {"1"}}, 422, "This cannot be an alias"},
		{url.Values{"matter": {"alias"}, "alias": {"v1"}, "version": {"1"}}, 422, "This cannot be an alias"},
		{url.Values{"matter": {"alias"}, "alias": {`"><b>`}, "version": {"1"}}, 422, "This cannot be an alias"},
		{url.Values{"matter": {"alias"}, "alias": {"champion"}, "version": {"7"}}, 422, "This model has no version 7."},
		{url.Values{"matter": {"alias"}, "alias": {"champion"}, "remove": {"yes"}}, 422, "That is so already"},
		{url.Values{}, 400, "This form names nothing to move"},
	} {
		status, page, _ := s.send(t, "/models/prices", s.uri, wrong.form)
		require.Equal(t, wrong.status, status, wrong.form)
		require.Contains(t, page, wrong.says)
		require.NotContains(t, page, "<b>")
	}
	status, _, _ := s.send(t, "/models/nobody", s.uri, url.Values{"matter": {"stage"}, "stage": {"Production"}, "version": {"1"}})
	require.Equal(t, http.StatusNotFound, status)
	status, _, _ = s.send(t, "/models/prices", "http://evil.example", url.Values{"matter": {"stage"}, "stage": {"Production"}, "version": {"1"}})
	require.Equal(t, http.StatusForbidden, status, "a page of another origin")
	require.Contains(t, s.page(t, "/models/prices", http.StatusOK), "Nothing has moved since this server keeps an audit trail.")
}

// TestTheTrailOnThePage: moves through the REST interface and through the page, with who made them, and which version was in Production when.
func TestTheTrailOnThePage(t *testing.T) {
	s := start(t)
	newModel(t, s, "prices", 2)
	body := `{"name":"prices","version":"1","stage":"Production","archive_existing_versions":true}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.uri+"/api/2.0/mlflow/model-versions/transition-stage", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mlflow-python-client/3.3.2")
	req.SetBasicAuth("ana<i>", "secret")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	_, page, _ := s.send(t, "/models/prices", s.uri, url.Values{"matter": {"stage"}, "version": {"2"}, "stage": {"Production"}, "archive": {"yes"}})
	status, _, _ := s.send(t, "/models/prices", s.uri, hidden(page))
	require.Equal(t, http.StatusSeeOther, status)
	page = s.page(t, "/models/prices", http.StatusOK)
	require.Contains(t, page, "<b>ana&lt;i&gt;</b> (not verified)")
	require.Contains(t, page, "mlflow-python-client/3.3.2")
	require.NotContains(t, page, "secret")
	require.Equal(t, 3, strings.Count(page, "data-move="))
	require.Regexp(t, `(?s)id="before">Before that: version 1, <time`, page)
	require.Equal(t, 2, strings.Count(page, `<rect class="span`))
	require.Regexp(t, `(?s)data-period="2".*still.*data-period="1"`, page)

	// A long trail has pages.
	for range 20 {
		require.NoError(t, s.client().SetAlias(t.Context(), "prices", "a", "1"))
		require.NoError(t, s.client().DeleteAlias(t.Context(), "prices", "a"))
	}
	page = s.page(t, "/models/prices", http.StatusOK)
	require.Equal(t, 25, strings.Count(page, "data-move="))
	older := regexp.MustCompile(`href="([^"]+)">Older entries`).FindStringSubmatch(page)
	require.NotNil(t, older)
	path, _, _ := strings.Cut(html.UnescapeString(older[1]), "#")
	page = s.page(t, path, http.StatusOK)
	require.Equal(t, 18, strings.Count(page, "data-move="))
	require.Contains(t, page, "Newest entries")
}
