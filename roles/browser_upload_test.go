package roles_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
)

// housesFile is a CSV of as many example houses, each a square foot larger than the one before; in the rows 3 and 7 something is wrong.
func housesFile(rows int) string {
	var b strings.Builder
	b.WriteString("status,bed,bath,acre_lot,house_size,city,as_of\n")
	for i := range rows {
		bed := "3"
		switch i + 1 {
		case 3:
			bed = "three"
		case 7:
			bed = ""
		}
		fmt.Fprintf(&b, "for_sale,%s,2,1.17,%d,\"Spring\"\"field\",2026-01-01\n", bed, 1000+i)
	}
	return b.String()
}

// requirePricedHouses holds an answer to housesFile against the model.
func requirePricedHouses(t *testing.T, m *model.Model, answer string, rows int) {
	t.Helper()
	got, err := csv.NewReader(strings.NewReader(answer)).ReadAll()
	require.NoError(t, err)
	require.Len(t, got, rows+1)
	require.Equal(t, []string{"status", "bed", "bath", "acre_lot", "house_size", "city", "as_of", "prediction", "error"}, got[0])
	for i, row := range got[1:] {
		if i+1 == 3 || i+1 == 7 {
			require.Empty(t, row[7])
			require.NotEmpty(t, row[8])
			continue
		}
		require.Empty(t, row[8])
		price, err := strconv.ParseFloat(row[7], 64)
		require.NoError(t, err)
		listing := model.Example()
		listing.HouseSize, listing.PrevSoldDate.Valid = float64(1000+i), false
		want, err := m.Predict(listing, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		require.NoError(t, err)
		require.Equal(t, want.Price, price, "row %d", i+1)
	}
}

// TestAPersonPricesAFile chooses a file on the first page, reads what became of it, keeps the answer and looks into it.
func TestAPersonPricesAFile(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	m := s.servedModel(t, "1")
	const rows = 5000
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "houses.csv"), []byte(housesFile(rows)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.csv"), nil, 0o600))
	lines := `{"status":"for_sale","bed":3,"bath":2,"acre_lot":1,"house_size":900}` + "\n" + `{"bed":"x"}` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "houses.ndjson"), []byte(lines), 0o600))
	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	kept := t.TempDir()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: kept})
		return err
	}))
	send := func(name string) {
		b.do(chromedp.SetUploadFiles(chromedp.CSS("#houses"), []string{filepath.Join(dir, name)}))
		b.click("#upload-send")
	}

	b.open(s.serving("/?lang=en"))
	b.click(`#upload input[name="record"]`)
	send("houses.csv")
	b.do(chromedp.WaitVisible(chromedp.CSS("#upload-done")))
	require.Equal(t, "5,000 rows: 4,998 have a price, 2 do not.", b.text("#upload-says"))
	require.Equal(t, []string{"Row 3: bed: this must be a number, such as 3", "Row 7: bed: this field is required"},
		evaluate[[]string](b, `[...document.querySelectorAll("#upload-errors li")].map((e) => e.textContent)`))
	s.requireRecorded(t, rows-2)
	b.click("#upload-result")
	var answer []byte
	require.Eventually(t, func() bool {
		var err error
		answer, err = os.ReadFile(filepath.Join(kept, "houses-priced.csv"))
		return err == nil && len(answer) > 0
	}, 20*time.Second, 20*time.Millisecond)
	requirePricedHouses(t, m, string(answer), rows)
	for _, view := range servingViews {
		b.do(chromedp.EmulateViewport(view.width, 900))
		b.open(s.serving("/?" + view.taste))
		send("houses.csv")
		b.do(chromedp.WaitVisible(chromedp.CSS("#upload-done")))
		b.requireGoodView(source, "upload-"+view.taste[5:7]+view.taste[14:], view.width)
	}
	s.requireRecorded(t, rows-2) // nobody asked to record these

	// Another form of file, and one that is refused.
	b.open(s.serving("/?lang=en&theme=light"))
	send("houses.ndjson")
	b.do(chromedp.WaitVisible(chromedp.CSS("#upload-done")))
	require.Equal(t, "2 rows: 1 have a price, 1 do not.", b.text("#upload-says"))
	require.Contains(t, b.text("#upload-errors"), "Row 2: status: this field is required")
	send("empty.csv")
	require.Contains(t, b.text("#upload-says.error"), "the body is empty; the first line of the CSV must name the columns")
	require.False(t, evaluate[bool](b, `document.querySelector("#upload-done").checkVisibility()`))
}

// TestAFileIsPricedWithoutScript sends the form as a browser does.
func TestAFileIsPricedWithoutScript(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	form := func(name, content string) (int, http.Header, string) {
		body := "--x\r\nContent-Disposition: form-data; name=\"record\"\r\n\r\ntrue\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name +
			"\"\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n--x--\r\n"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.serving("/batch"), strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		req.Header.Set("Accept", "text/html,*/*")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		answer, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, res.Header, string(answer)
	}
	status, _, page := form("houses.csv", housesFile(10))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, page, "no version of RealtorPriceModel is in Production yet")
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	status, header, answer := form("houses.csv", housesFile(10))
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, "attachment; filename=houses-priced.csv", header.Get("Content-Disposition"))
	requirePricedHouses(t, s.servedModel(t, "1"), answer, 10)
	s.requireRecorded(t, 8)
	for name, says := range map[string]string{"houses.txt": "choose a file whose name ends in .csv", "": "choose a file", "houses.csv": "the body is empty"} {
		status, header, page := form(name, "")
		require.Equal(t, http.StatusBadRequest, status, name)
		require.Contains(t, page, says)
		require.Contains(t, page, "<html")
		require.Empty(t, header.Get("Content-Disposition"))
	}
}
