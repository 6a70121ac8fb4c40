package roles_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
	"tasador/pkg/trackingclient"
)

type predictAnswer struct {
	Prediction   float64   `json:"prediction"`
	ModelName    string    `json:"model_name"`
	ModelVersion string    `json:"model_version"`
	RequestID    string    `json:"request_id"`
	AsOf         time.Time `json:"as_of"`
	Ignored      []string  `json:"ignored_fields"`
}

type refusal struct {
	Detail []struct {
		Loc  []any  `json:"loc"`
		Msg  string `json:"msg"`
		Type string `json:"type"`
	} `json:"detail"`
}

// with returns the original's example as JSON, with some fields replaced; nil leaves one out.
func with(t *testing.T, changes map[string]any) string {
	t.Helper()
	body := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(example), &body))
	for k, v := range changes {
		if body[k] = v; v == nil {
			delete(body, k)
		}
	}
	out, err := json.Marshal(body)
	require.NoError(t, err)
	return string(out)
}

func TestPredict(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	t.Run("before the first promotion it says what is missing", func(t *testing.T) { missingBeforePromotion(t, s) })

	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	m := s.servedModel(t, "1")
	t.Run("the example is priced and recorded", func(t *testing.T) { exampleIsPriced(t, s, m) })
	t.Run("the asking price, names and numbers beside the features change nothing", func(t *testing.T) { onlyFeaturesCount(t, s) })
	t.Run("a list is answered in its order, as one request", func(t *testing.T) { listIsPriced(t, s) })
	t.Run("without as_of the listing is aged now, and an unknown field is named", func(t *testing.T) { agedNow(t, s) })
	t.Run("a promotion reaches the running server without a failed request", func(t *testing.T) { promotionReachesServing(t, s) })
	t.Run("the history shows every DAG run, newest first", func(t *testing.T) { historyIsShown(t, s, m) })
	t.Run("health, metrics and documents", func(t *testing.T) { documentsAreServed(t, s) })
	t.Run("no page asks another host for anything, or holds a script or a style", func(t *testing.T) { pagesAskNobodyElse(t, s) })
}

func missingBeforePromotion(t *testing.T, s *stack) {
	status, body := post(t, s.serving("/predict"), example)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "no version of RealtorPriceModel is in Production yet")
	status, body = get(t, s.serving("/readyz"))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "RealtorPriceModel")
	status, body = get(t, s.serving("/"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "No version of RealtorPriceModel is in Production yet, so nothing can be appraised.")
	require.Contains(t, body, "tasador dags trigger realtor_price_model")
	s.requireRecorded(t, 0)
}

func exampleIsPriced(t *testing.T, s *stack, m *model.Model) {
	asOf := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	status, body := send(t, http.MethodPost, s.serving("/predict"), http.Header{"X-Request-Id": {"my-request"}},
		with(t, map[string]any{"as_of": "2026-02-03T04:05:06Z"}))
	require.Equal(t, http.StatusOK, status, body)
	var got predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	want, err := m.Predict(model.Example(), asOf)
	require.NoError(t, err)
	require.Equal(t, predictAnswer{
		Prediction: want.Price, ModelName: "RealtorPriceModel", ModelVersion: "1", RequestID: "my-request", AsOf: asOf,
	}, got)

	records := s.recorded(t, "my-request")
	require.Len(t, records, 1)
	r := records[0]
	require.Equal(t, want.Price, r.Prediction)
	require.Equal(t, "1", r.ModelVersion)
	require.Equal(t, asOf, r.AsOf)
	require.WithinDuration(t, time.Now(), r.PredictedAt, time.Minute)
	require.Equal(t, "1589662", r.Street.Value)
	require.Equal(t, "38571", r.Listing.ZipCode.Value)
	require.InDelta(t, 394900, r.Listing.Price, 0)
	require.InDelta(t, 74802, r.Listing.BrokeredBy, 0)
	require.Equal(t, "2021-12-01", r.Listing.PrevSoldDate.Value)
}

func onlyFeaturesCount(t *testing.T, s *stack) {
	asOf := "2026-01-01"
	_, body := post(t, s.serving("/predict"), with(t, map[string]any{"as_of": asOf}))
	var want predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &want))
	for name, changes := range map[string]map[string]any{
		"price":          {"price": 1},
		"no price":       {"price": nil},
		"text street":    {"street": "Main Street 5"},
		"zip as text":    {"zip_code": "00601"},
		"zip as number":  {"zip_code": 601},
		"broker as text": {"brokered_by": "74802"},
		"nothing extra":  {"brokered_by": nil, "street": nil, "city": nil, "state": nil, "zip_code": nil, "price": nil},
	} {
		changes["as_of"] = asOf
		status, body := post(t, s.serving("/predict"), with(t, changes))
		require.Equal(t, http.StatusOK, status, "%s: %s", name, body)
		var got predictAnswer
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.InDelta(t, want.Prediction, got.Prediction, 0, name)
		if name == "zip as number" {
			require.Equal(t, "00601", s.recorded(t, got.RequestID)[0].Listing.ZipCode.Value)
		}
	}
}

func listIsPriced(t *testing.T, s *stack) {
	bodies := []string{with(t, map[string]any{"as_of": "2026-01-01"}), with(t, map[string]any{"as_of": "2026-01-01", "bed": 7, "pool": 1}), with(t, map[string]any{"as_of": "2025-01-01"})}
	status, body := send(t, http.MethodPost, s.serving("/predict"), http.Header{"X-Request-Id": {"a-list"}}, "["+strings.Join(bodies, ", ")+"]")
	require.Equal(t, http.StatusOK, status, body)
	var got []predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got, 3)
	records := s.recorded(t, "a-list")
	require.Len(t, records, 3)
	for i := range bodies {
		_, body := post(t, s.serving("/predict"), bodies[i])
		var alone predictAnswer
		require.NoError(t, json.Unmarshal([]byte(body), &alone))
		alone.RequestID = "a-list"
		require.Equal(t, alone, got[i])
		require.Equal(t, i, records[i].Item)
		require.InDelta(t, alone.Prediction, records[i].Prediction, 0)
	}
	status, body = post(t, s.serving("/predict"), " [ ] ")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "[]\n", body)
	status, body = post(t, s.serving("/predict"), "["+strings.Repeat(example+",", 999)+example+"]")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1000, strings.Count(body, `"prediction"`))
	status, body = post(t, s.serving("/predict?pretty"), "["+example+"]")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "\n    \"prediction\": ")
}

func agedNow(t *testing.T, s *stack) {
	status, body := post(t, s.serving("/predict"), with(t, map[string]any{"pool": true, "prev_sold_dat": "x"}))
	require.Equal(t, http.StatusOK, status)
	var got predictAnswer
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.WithinDuration(t, time.Now(), got.AsOf, time.Minute)
	require.Equal(t, []string{"pool", "prev_sold_dat"}, got.Ignored)
}

func promotionReachesServing(t *testing.T, s *stack) {
	for _, id := range []string{"second", "third", "fourth"} {
		s.runDAG(t, id)
	}
	tracking := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	stop, failed := make(chan struct{}), make(chan string, 1)
	versions := map[string]bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			status, body := post(t, s.serving("/predict"), example)
			var got predictAnswer
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
				failed <- body
				return
			}
			versions[got.ModelVersion] = true
		}
	})
	for _, version := range []string{"2", "1", "2", "1"} {
		_, err := tracking.TransitionStage(t.Context(), "RealtorPriceModel", version, registry.Production, true)
		require.NoError(t, err)
		s.waitForVersion(t, version)
	}
	close(stop)
	wg.Wait()
	require.Empty(t, failed)
	require.Equal(t, map[string]bool{"1": true, "2": true}, versions)
}

func documentsAreServed(t *testing.T, s *stack) {
	status, body := get(t, s.serving("/health"))
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status":"ok"}`, body)
	status, body = get(t, s.serving("/readyz"))
	require.Equal(t, http.StatusOK, status, body)

	_, body = get(t, s.serving("/metrics"))
	for _, bucket := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"} {
		require.Contains(t, body, `inference_request_latency_seconds_bucket{le="`+bucket+`"}`)
	}
	require.Regexp(t, `(?m)^inference_requests_total [1-9]`, body)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)

	_, body = get(t, s.serving("/openapi.json"))
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &doc))
	require.True(t, strings.HasPrefix(doc.OpenAPI, "3.1"))
	require.Contains(t, doc.Paths["/predict"], "post")
	require.ElementsMatch(t, []string{"status", "bed", "bath", "acre_lot", "house_size"}, doc.Components.Schemas["Listing"].Required)
	require.Contains(t, doc.Components.Schemas["Answer"].Properties, "prediction")
	_, body = get(t, s.serving("/docs"))
	require.Contains(t, body, "/predict")
}

func TestPredictRefusesWhatIsWrongAndRecordsNothing(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	long := strings.Repeat("x", 10<<20)

	for _, c := range []struct {
		name, body string
		status     int
		fields     []string // of loc; empty means the whole body
		says       string
	}{
		{"empty", "", 422, nil, "the body is empty"},
		{"not JSON", "bed=3", 422, nil, "not JSON"},
		{"cut off", example[:80], 422, nil, "not JSON"},
		{"NaN", strings.Replace(example, "1.17", "NaN", 1), 422, nil, "not JSON"},
		{"not UTF-8", strings.Replace(example, "Crossville", "\xff\xfe", 1), 422, nil, "UTF-8"},
		{"an array of an array", "[" + example + ",[]]", 422, []string{"1"}, "JSON array"},
		{"an array with nothing in it", "[" + example + ",null]", 422, []string{"1"}, "JSON null"},
		{"an array that is cut off", "[" + example + ",", 422, nil, "not JSON"},
		{"an array with mistakes", "[" + example + "," + with(t, map[string]any{"bed": -1, "city": 1}) + "," + example + ",{}]", 422,
			[]string{"1/bed", "1/city", "3/status", "3/bed", "3/bath", "3/acre_lot", "3/house_size"}, "must not be negative"},
		{"too many", "[" + strings.Repeat(`{"bed":1},`, 1000) + "{}]", 422, nil, "the list has 1001 listings; send at most 1000 at once, or all as a file to /predict/batch"},
		{"as many as can be, all wrong", "[" + strings.Repeat(`{"bed":-1},`, 999) + "{}]", 422, []string{}, "must not be negative"},
		{"a long listing", with(t, map[string]any{"pool": long[:100_000]}), 413, nil, "larger than this address accepts"},
		{"a text", `"house"`, 422, nil, "JSON string"},
		{"null", "null", 422, nil, "JSON null"},
		{"two documents", example + example, 422, nil, "not JSON"},
		{"an empty object", "{}", 422, []string{"status", "bed", "bath", "acre_lot", "house_size"}, "required"},
		{"null for required", with(t, map[string]any{"bed": json.RawMessage("null")}), 422, []string{"bed"}, "required"},
		{"a text for a number", with(t, map[string]any{"bed": "3", "bath": "two"}), 422, []string{"bed", "bath"}, "must be a number, such as"},
		{"true for a number", with(t, map[string]any{"house_size": true}), 422, []string{"house_size"}, "must be a number"},
		{"a list for a number", with(t, map[string]any{"acre_lot": []int{1}}), 422, []string{"acre_lot"}, "must be a number"},
		{"an object for a text", with(t, map[string]any{"city": map[string]int{}}), 422, []string{"city"}, "must be a text"},
		{"a number for a text", with(t, map[string]any{"state": 5}), 422, []string{"state"}, "must be a text"},
		{"negative", with(t, map[string]any{"bed": -1, "price": -5}), 422, []string{"price", "bed"}, "must not be negative"},
		{"huge", with(t, map[string]any{"house_size": 1e300, "bath": 5000}), 422, []string{"bath", "house_size"}, "must be at most"},
		{"beyond a double", strings.Replace(example, "1.17", "1e999", 1), 422, []string{"acre_lot"}, "must be at most"},
		{"unknown status", with(t, map[string]any{"status": "forsale"}), 422, []string{"status"}, `"this must be one of for_sale, ready_to_build, to_build, sold"`},
		{"no such day", with(t, map[string]any{"prev_sold_date": "2021-02-30"}), 422, []string{"prev_sold_date"}, "must be a date such as"},
		{"a date as number", with(t, map[string]any{"prev_sold_date": 20211201}), 422, []string{"prev_sold_date"}, "must be a text"},
		{"a bad as_of", with(t, map[string]any{"as_of": "yesterday"}), 422, []string{"as_of"}, "must be a date"},
		{"a broken zip", with(t, map[string]any{"zip_code": 1.5}), 422, []string{"zip_code"}, "whole"},
		{"a broker of letters", with(t, map[string]any{"brokered_by": "me"}), 422, []string{"brokered_by"}, "must be a number"},
		{"a long city", with(t, map[string]any{"city": long[:1000]}), 422, []string{"city"}, "at most 200 characters"},
		{"a control character", with(t, map[string]any{"city": "a\x00b"}), 422, []string{"city"}, "control characters"},
		{"10 MB in a field", with(t, map[string]any{"city": long}), 413, nil, "larger than this address accepts"},
		{"deep nesting", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), 422, nil, "JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := post(t, s.serving("/predict"), c.body)
			require.Equal(t, c.status, status, "%.300s", body)
			require.Contains(t, body, c.says)
			require.Less(t, len(body), 12000)
			if status != 422 {
				return
			}
			var got refusal
			require.NoError(t, json.Unmarshal([]byte(body), &got), body)
			var named []string
			for _, d := range got.Detail {
				require.Equal(t, "body", d.Loc[0])
				require.NotEmpty(t, d.Type)
				if len(d.Loc) > 1 && len(c.fields) > 0 {
					named = append(named, strings.ReplaceAll(strings.Trim(fmt.Sprint(d.Loc[1:]), "[]"), " ", "/"))
				}
			}
			if c.fields == nil || len(c.fields) > 0 {
				require.Equal(t, c.fields, named)
			} else {
				require.Len(t, got.Detail, 100, "no more are named")
			}
		})
	}
	t.Run("other ways to ask", func(t *testing.T) {
		status, _ := get(t, s.serving("/predict"))
		require.Equal(t, http.StatusMethodNotAllowed, status)
		status, body := send(t, http.MethodPost, s.serving("/predict"), http.Header{"Origin": {"https://elsewhere.example"}}, example)
		require.Equal(t, http.StatusForbidden, status, body)
	})
	s.requireRecorded(t, 0)
}

func TestTheLastGoodModelAnswersWithoutTracking(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	s.stop()

	alone := startStack(t, func(cfg *config.Config) {
		cfg.DataDir = s.cfg.DataDir
		cfg.Tracking.URI = "http://127.0.0.1:1" // nobody listens there
	}, config.RoleServing)
	status, body := post(t, alone.serving("/predict"), example)
	require.Equal(t, http.StatusOK, status, body)
	status, body = get(t, alone.serving("/"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "The history is kept by tracking, which does not answer:")
	require.Contains(t, body, "promotions are not followed")
}

// TestAnswersWaitForTheDatabase takes the table away and puts it back: nobody notices, and nothing is lost.
func TestAnswersWaitForTheDatabase(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	db, err := sqlstore.Open(t.Context(), s.cfg.Predictions.URL, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	statement := func(text string) { require.NoError(t, db.Exec(text).Error) }
	statement("ALTER TABLE predictions RENAME TO away")

	for i := range 20 {
		status, body := send(t, http.MethodPost, s.serving("/predict"), http.Header{"X-Request-Id": {fmt.Sprint("r", i)}}, example)
		require.Equal(t, http.StatusOK, status, body)
	}
	status, body := submit(t, s.serving("/"), url.Values{"status": {"for_sale"}, "bed": {"4"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"1000"}})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `id="appraisal"`)
	require.Eventually(t, func() bool {
		status, body = get(t, s.serving("/readyz"))
		require.Equal(t, http.StatusOK, status, "it is ready all the same: %s", body)
		return strings.Contains(body, "21 requests wait in the journal, the oldest since ")
	}, 30*time.Second, 10*time.Millisecond)
	for _, series := range []string{`backlog_entries 21$`, `backlog_age_seconds [0-9.e-]*[1-9]`, `ship_failures_total [1-9]`} {
		require.Eventually(t, func() bool {
			_, body = get(t, s.serving("/metrics"))
			return regexp.MustCompile("(?m)^tasador_journal_" + series).MatchString(body)
		}, 30*time.Second, 10*time.Millisecond, "/metrics never says %s", series)
	}

	statement("ALTER TABLE away RENAME TO predictions")
	s.requireRecorded(t, 21)
	for i := range 20 {
		require.Len(t, s.recorded(t, fmt.Sprint("r", i)), 1)
	}
	_, body = get(t, s.serving("/readyz"))
	require.NotContains(t, body, "notes")
}

func TestFeedback(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	ask := func(id, body string) {
		status, said := send(t, http.MethodPost, s.serving("/predict"), http.Header{"X-Request-Id": {id}}, body)
		require.Equal(t, http.StatusOK, status, said)
	}
	tell := func(body string) (int, string) { return post(t, s.serving("/feedback"), body) }
	ask("one", example)
	ask("list", "["+example+","+example+"]")

	status, body := tell(`{"request_id": "one", "sale_price": 380000, "sold_at": "2026-02-01"}`)
	require.Equal(t, http.StatusOK, status, "also at once, before anybody has looked into the database: %s", body)
	require.JSONEq(t, `{"request_id": "one", "item": 0, "prediction": "recorded"}`, body)
	status, _ = tell(`{"request_id": "list", "item": 1, "sale_price": 1.5, "sold_at": null, "agent": "ignored"}`)
	require.Equal(t, http.StatusOK, status)
	status, _ = tell(`{"request_id": "list", "item": 1, "sale_price": 2.5}`)
	require.Equal(t, http.StatusOK, status, "the last that is told counts")
	for _, unknown := range []string{`{"request_id": "two", "sale_price": 1}`, `{"request_id": "list", "item": 2, "sale_price": 1}`} {
		status, body = tell(unknown)
		require.Equal(t, http.StatusNotFound, status)
		require.Contains(t, body, "is recorded; check both")
	}
	require.Equal(t, 380000.0, s.recorded(t, "one")[0].Sale.Price)
	// Both count among the errors of version 1; what was told of the list's item first, and only that.
	one, list := s.recorded(t, "one")[0].Prediction, s.recorded(t, "list")[1].Prediction
	var seen struct {
		Versions []struct {
			Version string
			Windows []struct {
				Errors struct {
					Count               int
					MAE, Bias, Coverage float64
				}
			}
		}
	}
	_, body = get(t, s.serving("/drift"))
	require.NoError(t, json.Unmarshal([]byte(body), &seen))
	require.Equal(t, "1", seen.Versions[0].Version)
	for _, w := range seen.Versions[0].Windows {
		require.Equal(t, 2, w.Errors.Count)
		require.InDelta(t, (one-380000+list-1.5)/2, w.Errors.Bias, 1e-6)
		require.InDelta(t, (math.Abs(one-380000)+math.Abs(list-1.5))/2, w.Errors.MAE, 1e-6)
		require.InDelta(t, 0.5, w.Errors.Coverage, 1e-9, "380,000 is likely, 1.5 is not")
	}
	require.Equal(t, "2026-02-01", s.recorded(t, "one")[0].Sale.SoldAt.Value)
	require.Nil(t, s.recorded(t, "list")[0].Sale)
	require.Equal(t, 2.5, s.recorded(t, "list")[1].Sale.Price)

	for body, fields := range map[string][]string{
		"": nil, "[]": nil, "null": nil, "{": nil, "{}": {"request_id", "sale_price"},
		`{"request_id": "a b", "sale_price": "1"}`:                                           {"request_id", "sale_price"},
		`{"request_id": 5, "sale_price": -1, "item": 1.5}`:                                   {"request_id", "item", "sale_price"},
		`{"request_id": "` + strings.Repeat("x", 65) + `", "sale_price": 1e300, "item": -1}`: {"request_id", "item", "sale_price"},
		`{"request_id": "one", "sale_price": 1e999, "item": "1", "sold_at": "soon"}`:         {"item", "sale_price", "sold_at"},
		`{"request_id": "one", "sale_price": 1, "sold_at": 20260201}`:                        {"sold_at"},
	} {
		status, said := tell(body)
		require.Equal(t, http.StatusUnprocessableEntity, status, body)
		var got refusal
		require.NoError(t, json.Unmarshal([]byte(said), &got))
		var named []string
		for _, d := range got.Detail {
			if len(d.Loc) > 1 {
				named = append(named, fmt.Sprint(d.Loc[1]))
			}
		}
		require.Equal(t, fields, named, body)
	}

	// While the database is away nobody can tell whether there is such a prediction. What is told is not lost.
	db, err := sqlstore.Open(t.Context(), s.cfg.Predictions.URL, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	require.NoError(t, db.Exec("ALTER TABLE predictions RENAME TO away").Error)
	ask("meanwhile", example)
	status, body = tell(`{"request_id": "meanwhile", "sale_price": 7}`)
	require.Equal(t, http.StatusAccepted, status, body)
	require.Contains(t, body, `"pending"`)
	require.NoError(t, db.Exec("ALTER TABLE away RENAME TO predictions").Error)
	require.Equal(t, 7.0, s.recorded(t, "meanwhile")[0].Sale.Price)
}

// TestAnAnswerThatCannotBeRecorded takes the folder of the journal away. A setting says what becomes of answers.
func TestAnAnswerThatCannotBeRecorded(t *testing.T) {
	for setting, given := range map[string]bool{"refuse": false, "serve": true} {
		t.Run(setting, func(t *testing.T) {
			s := startStack(t, func(cfg *config.Config) { cfg.Serving.Unrecorded = setting }, config.RoleNames()...)
			s.runDAG(t, "first")
			s.waitForVersion(t, "1")
			folder := filepath.Join(s.cfg.DataDir, "serving", "journal")
			require.NoError(t, os.Rename(folder, folder+".away"))
			form := url.Values{"status": {"for_sale"}, "bed": {"4"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"1000"}}
			_, single := post(t, s.serving("/predict"), example)
			_, page := submit(t, s.serving("/"), form)
			_, spanish := submit(t, s.serving("/?lang=es"), form)
			require.Equal(t, given, strings.Contains(single, `"prediction"`), single)
			require.Equal(t, given, strings.Contains(page, `id="appraisal"`))
			var status int
			var body string
			require.Eventually(t, func() bool {
				status, body = get(t, s.serving("/readyz"))
				return strings.Contains(body, "is gone")
			}, 30*time.Second, 10*time.Millisecond)
			_, metrics := get(t, s.serving("/metrics"))
			if given {
				require.Equal(t, http.StatusOK, status, body)
				require.Contains(t, body, "predictions are given and not recorded")
				require.Contains(t, metrics, "tasador_predictions_unrecorded_total 3\n")
			} else {
				require.Equal(t, http.StatusServiceUnavailable, status, body)
				require.Contains(t, single, "cannot be recorded")
				require.Contains(t, page, "cannot be recorded")
				require.Contains(t, spanish, "la predicción no se puede registrar")
				require.Contains(t, metrics, "tasador_predictions_unrecorded_total 0\n")
			}
			require.NoError(t, os.Rename(folder+".away", folder))
			_, single = post(t, s.serving("/predict"), example)
			require.Contains(t, single, `"prediction"`)
			s.requireRecorded(t, 1)
		})
	}
}
