package serving

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/testkit/modeltest"
)

const batchAsOf = "2026-03-04T05:06:07Z"

// rowAnswer is an object of an answer in JSON.
type rowAnswer struct {
	Row        int
	Prediction *float64
	Error      *ValidationError
	Summary    *Summary
}

// wanted are the prices of listings, by the model itself.
func wanted(t *testing.T, m *model.Model, listings []property.Listing) []float64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, batchAsOf)
	require.NoError(t, err)
	prices := make([]float64, len(listings))
	for i, l := range listings {
		body, err := json.Marshal(asked(l))
		require.NoError(t, err)
		one, err := byEncodingJSON(body)
		require.NoError(t, err)
		var req request
		require.Empty(t, check(&req, &one.values, statuses(), at))
		p, err := m.Predict(req.Listing, at)
		require.NoError(t, err)
		prices[i] = p.Price
	}
	return prices
}

func linesOf(t *testing.T, body string) []rowAnswer {
	t.Helper()
	var out []rowAnswer
	for dec := json.NewDecoder(strings.NewReader(body)); dec.More(); {
		var a rowAnswer
		require.NoError(t, dec.Decode(&a))
		out = append(out, a)
	}
	return out
}

// TestBatchAnswersInEveryForm sends the same listings in each form and asks for each form.
func TestBatchAnswersInEveryForm(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	listings := modeltest.Listings(8, 3000)
	want := wanted(t, s.model, listings)
	lines := string(ndjsonOf(t, listings))
	bodies := map[string]string{
		mimeNDJSON: lines, mimeCSV: csvOf(listings),
		"application/json": "[" + strings.ReplaceAll(strings.TrimSpace(lines), "\n", ",\n") + "]",
	}
	for in, body := range bodies {
		for _, out := range []string{mimeCSV, mimeNDJSON, "application/json"} {
			a := s.post(t, "/predict/batch?as_of="+batchAsOf, in, body, "Accept", out, "X-Request-Id", "my-batch")
			require.Equal(t, http.StatusOK, a.StatusCode, a.body)
			require.Equal(t, "7", a.Header.Get(headerModelVersion))
			require.Equal(t, "3000", a.Trailer.Get(headerRowsOK))
			require.Equal(t, "0", a.Trailer.Get(headerRowsFailed))
			prices, summary := pricesOf(t, out, a.body)
			require.Equal(t, want, prices, "%s to %s", in, out)
			if out != mimeCSV {
				require.Equal(t, 3000, summary.OK)
				require.Equal(t, "my-batch", summary.RequestID)
				require.Equal(t, "7", summary.ModelVersion)
			}
		}
	}
}

// pricesOf reads the prices of an answer without errors, whose rows must be in order.
func pricesOf(t *testing.T, form, body string) ([]float64, *Summary) {
	t.Helper()
	var answers []rowAnswer
	var summary *Summary
	switch form {
	case mimeCSV:
		return csvPrices(t, body), nil
	case mimeNDJSON:
		answers = linesOf(t, body)
		summary = answers[len(answers)-1].Summary
		answers = answers[:len(answers)-1]
	default:
		all := parsed[struct {
			Results []rowAnswer
			Summary *Summary
		}](t, body)
		answers, summary = all.Results, all.Summary
	}
	prices := make([]float64, len(answers))
	for i, a := range answers {
		require.Equal(t, i+1, a.Row)
		require.NotNil(t, a.Prediction, "row %d: %+v", a.Row, a.Error)
		prices[i] = *a.Prediction
	}
	return prices, summary
}

func csvPrices(t *testing.T, body string) []float64 {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	require.NoError(t, err)
	last := len(records[0])
	require.Equal(t, []string{"prediction", "error"}, records[0][last-2:])
	prices := make([]float64, len(records)-1)
	for i, r := range records[1:] {
		_, err := fmt.Sscan(r[last-2], &prices[i])
		require.NoError(t, err)
		require.Empty(t, r[last-1])
	}
	return prices
}

// TestBatchTellsWhatIsWrongInItsPlace holds that one bad row costs no other.
func TestBatchTellsWhatIsWrongInItsPlace(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	good := `{"status":"sold","bed":3,"bath":2,"acre_lot":1,"house_size":2000,"pool":1}`
	long := `{"city":"` + strings.Repeat("x", maxRow) + `"}`
	rows := []string{
		good, `{"bed":-1,"bath":2,"acre_lot":1,"house_size":2000,"status":"sold"}`, `{"bed":3`, "", long, `[1]`, "  ", good, `{"bed":NaN}`, "\xff", strings.Repeat("[", 60000), good,
	}
	a := s.post(t, "/predict/batch", mimeNDJSON, strings.Join(rows, "\r\n"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	answers := linesOf(t, a.body)
	says := []string{"", "must not be negative", "not JSON", "longer than 64 kB", "JSON object", "", "not JSON", "UTF-8", "nest too deep", ""}
	require.Len(t, answers, len(says)+1)
	for i, text := range says {
		require.Equal(t, i+1, answers[i].Row)
		if text == "" {
			require.NotNil(t, answers[i].Prediction, "row %d", i+1)
			continue
		}
		require.Contains(t, answers[i].Error.Detail[0].Msg, text)
	}
	require.Equal(t, []any{"body", "bed"}, answers[1].Error.Detail[0].Loc)
	summary := answers[len(says)].Summary
	require.Equal(t, Summary{
		Rows: 10, OK: 3, Failed: 7, ModelName: "RealtorPriceModel", ModelVersion: "7", ModelRunID: "0123456789abcdef0123456789abcdef",
		RequestID: a.Header.Get("X-Request-Id"), Ignored: []string{"pool"},
	}, *summary)
	require.Equal(t, "7", a.Trailer.Get(headerRowsFailed))

	// The same in an array; behind what is no JSON nothing can be told apart.
	a = s.post(t, "/predict/batch", "application/json", "["+good+","+long+`,{"bed":1},`+good+",]")
	all := parsed[struct {
		Results []rowAnswer
		Summary *Summary
	}](t, a.body)
	require.Len(t, all.Results, 4)
	require.Contains(t, all.Results[1].Error.Detail[0].Msg, "longer than 64 kB")
	require.Len(t, all.Results[2].Error.Detail, 4, "every missing field is named")
	require.Contains(t, all.Summary.Error, "does not belong there")
	require.Contains(t, a.Trailer.Get(headerBatchError), "does not belong there")
}

func TestBatchOfCSVKeepsEveryColumnAndRow(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	body := "\ufeffid,status,bed,bath,acre_lot,house_size,\"my \"\"note\"\"\"\n" +
		"a,sold,3,2,1,2000,\"two\nlines, and a \"\"quote\"\"\"\r\n" +
		"b,sold,x,2,1,2000,n\n" +
		"\n" +
		"c,sold,3,2\n" +
		"d,sold,3,2,1,2000,n,more\n" +
		"e,so\"ld,3,2,1,2000,n\n" +
		"f,\"sold\"x,3,2,1,2000,n\n" +
		"g,sold,3,2,1,2000,\n" +
		"h,sold,3,2,1,2000,\"open\n" +
		"i,sold,3,2,1,2000,n"
	a := s.post(t, "/predict/batch", "text/csv; charset=UTF-8", body)
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.Equal(t, "text/csv; charset=utf-8", a.Header.Get("Content-Type"))
	records, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	require.NoError(t, err, a.body)
	require.Equal(t, []string{"id", "status", "bed", "bath", "acre_lot", "house_size", `my "note"`, "prediction", "error"}, records[0])
	require.Equal(t, "two\nlines, and a \"quote\"", records[1][6])
	says := []string{"", "bed: this must be a number", "acre_lot: this field is required; house_size: this field is required", "more than the 7 fields", "quotes", "quotes", "", "quotes", ""}
	require.Len(t, records, len(says)+1)
	for i, text := range says {
		require.Equal(t, text == "", records[i+1][7] != "", "row %d: %q", i+1, records[i+1])
		require.Contains(t, records[i+1][8], text)
	}
	require.Equal(t, "i", records[9][0])
	// Of a row that cannot be read, what can be told stays in its columns, and all of it stands in the error.
	require.Equal(t, []string{"d", "sold", "3", "2", "1", "2000", "n"}, records[4][:7])
	require.Equal(t, []string{"e", "", "", "", "", "", ""}, records[5][:7])
	require.Equal(t, []string{"f", "", "", "", "", "", ""}, records[6][:7])
	require.Equal(t, []string{"h", "sold", "3", "2", "1", "2000", ""}, records[8][:7])
	for row, text := range map[int]string{4: "d,sold,3,2,1,2000,n,more", 5: `e,so"ld,3,2,1,2000,n`, 6: `f,"sold"x,3,2,1,2000,n`, 8: `h,sold,3,2,1,2000,"open`} {
		require.True(t, strings.HasSuffix(records[row][8], ": "+text), records[row][8])
	}
	require.Equal(t, "3", a.Trailer.Get(headerRowsOK))

	answers := linesOf(t, s.post(t, batchPath, mimeCSV, body+"\nj\xff,"+strings.Repeat("x", 2*maxInput), "Accept", mimeNDJSON).body)
	require.Equal(t, ErrorDetail{Loc: []any{"body"}, Msg: badQuotes, Type: "csv_invalid", Input: `e,so"ld,3,2,1,2000,n`}, answers[4].Error.Detail[0])
	require.Equal(t, 5, answers[4].Row)
	last := answers[9].Error.Detail[0]
	require.Equal(t, "the row is not UTF-8 text", last.Msg)
	require.True(t, strings.HasPrefix(last.Input, "j\ufffd,xxx") && strings.HasSuffix(last.Input, "x…"), last.Input)
	require.Empty(t, answers[1].Error.Detail[0].Input, "the field says where to look")
}

func TestBatchRefusesWhatItCannotBegin(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	for _, c := range []struct {
		name, path, kind, body, says string
		status                       int
		header                       []string
	}{
		{"no type", "", "", "", "say which in Content-Type", 415, nil},
		{"another type", "", "application/xml", "<x/>", "say which in Content-Type", 415, nil},
		{"another charset", "", "text/csv; charset=latin1", "status\n", "must be UTF-8, not latin1", 415, nil},
		{"another answer", "", "text/csv", "status\n", "name one of them in Accept", 406, []string{"Accept", "image/png"}},
		{"a wrong option", "?record=perhaps", "text/csv", "status\n", "must be true or false", 422, nil},
		{"a wrong instant", "?as_of=soon", "text/csv", "status\n", "must be a date", 422, nil},
		{"a column is missing", "", "text/csv", "status,bath,acre_lot,house_size\n1,2,3,4\n", "no column bed", 422, nil},
		{"a column twice", "", "text/csv", "status,bed,bath,acre_lot,house_size,\"bed\"\n", "the CSV has two columns bed", 422, nil},
		{"our own column", "", "text/csv", "status,prediction\n", "rename yours", 422, nil},
		{"an empty file", "", "text/csv", "", "the body is empty", 422, nil},
		{"an object", "", "application/json", `{"a":1}`, "not a JSON array", 422, nil},
		{"no JSON", "", "application/json", ``, "ends in the middle", 422, nil},
		{"not gzip", "", "application/json", `[]`, "not gzip", 400, []string{"Content-Encoding", "gzip"}},
	} {
		a := s.post(t, "/predict/batch"+c.path, c.kind, c.body, c.header...)
		require.Equal(t, c.status, a.StatusCode, "%s: %s", c.name, a.body)
		require.Contains(t, a.body, c.says, c.name)
	}
	for kind, body := range map[string]string{mimeNDJSON: "", "application/json": "[ ]", mimeCSV: "status,bed,bath,acre_lot,house_size,note,note,,\n"} {
		a := s.post(t, "/predict/batch", kind, body)
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		require.Equal(t, "0", a.Trailer.Get(headerRowsOK), kind)
	}
	empty := startServer(t, nil)
	a := empty.post(t, "/predict/batch", mimeNDJSON, "{}")
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
}

func TestBatchIsRecordedOnlyIfAsked(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	listings := modeltest.Listings(8, 40)
	body := "{}\n" + string(ndjsonOf(t, listings)) + "{}\n"
	s.post(t, "/predict/batch", mimeNDJSON, body, "X-Request-Id", "unkept")
	a := s.post(t, "/predict/batch?record=true&as_of="+batchAsOf, mimeNDJSON, body, "X-Request-Id", "kept")
	require.Equal(t, "40", a.Trailer.Get(headerRowsOK))
	require.Eventually(t, func() bool {
		records, err := s.role.store.ByRequest(t.Context(), "kept")
		return err == nil && len(records) == 40
	}, 10*time.Second, 10*time.Millisecond)
	records, err := s.role.store.ByRequest(t.Context(), "unkept")
	require.NoError(t, err)
	require.Empty(t, records)
}

func TestBatchTakesAndGivesGzip(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	listings := modeltest.Listings(8, 500)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(ndjsonOf(t, listings))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	a := s.send(t, http.MethodPost, "/predict/batch?as_of="+batchAsOf, &packed, "Content-Type", mimeNDJSON, "Content-Encoding", "gzip", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", a.Header.Get("Content-Encoding"))
	open, err := gzip.NewReader(strings.NewReader(a.body))
	require.NoError(t, err)
	plain, err := io.ReadAll(open)
	require.NoError(t, err)
	prices, _ := pricesOf(t, mimeNDJSON, string(plain))
	require.Equal(t, wanted(t, s.model, listings), prices)
}
