package serving

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tasador/pkg/inference"
)

// FuzzRequest holds that whatever is sent is either refused with a sentence for each field or gives numbers that can be stored.
func FuzzRequest(f *testing.F) {
	example, err := json.Marshal(exampleBody())
	require.NoError(f, err)
	f.Add(example)
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"bed":}`, `{"bed":1e999}`, `{"bed":-0}`, `{"zip_code":1e308}`, `{"street":"\ud800"}`, ` { "bed" : [ ] } `,
		`{"status":"sold","bed":1,"bath":1,"acre_lot":1,"house_size":1,"prev_sold_date":"2020-01-01T25:00"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q := &question{body: body, version: &version{statuses: statuses()}, now: time.Unix(0, 0)}
		problems, err := q.decode()
		if err != nil {
			require.Greater(t, len(body), maxBody)
			return
		}
		if len(problems) == 0 {
			problems = q.check()
		}
		for _, p := range problems {
			require.Equal(t, "body", p.Loc[0])
			require.NotEmpty(t, p.Format)
		}
		if len(problems) > 0 {
			return
		}
		for _, req := range q.requests {
			for _, v := range []float64{req.Listing.Bed, req.Listing.Bath, req.Listing.AcreLot, req.Listing.HouseSize} {
				require.False(t, math.IsNaN(v) || math.IsInf(v, 0) || v < 0)
			}
			require.True(t, req.Listing.Status.Valid)
		}
	})
}

// byEncodingJSON reads a listing the slow way.
func byEncodingJSON(body []byte) (into decoded, err error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return into, err
	}
	if raw == nil {
		return into, errors.New("null")
	}
	for name, content := range raw {
		i := indexOf(name)
		if i == noField {
			into.ignore(name)
			continue
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(content))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return into, err
		}
		switch v := v.(type) {
		case nil:
		case string:
			into.values[i] = textValue(v)
		case json.Number:
			n, err := v.Float64()
			into.values[i] = value{kind: isNumber, number: n}
			if err == nil {
				into.values[i].text = v.String()
			}
		case bool:
			into.values[i] = value{kind: isOther, text: string(content)}
		default:
			into.values[i] = value{kind: isOther}
		}
	}
	into.ordered()
	return into, nil
}

// beyondEncodingJSON reports what our reader refuses on purpose, or encoding/json repairs: deep nesting, and texts that are not UTF-8.
func beyondEncodingJSON(body string) bool {
	return strings.Count(body, "[")+strings.Count(body, "{") >= maxDepth || strings.ContainsRune(body, '\ufffd') || !utf8.ValidString(body)
}

// FuzzDecode holds the reader of requests to encoding/json: both take the same listings and lists of them, and find the same in them.
func FuzzDecode(f *testing.F) {
	example, err := json.Marshal(exampleBody())
	require.NoError(f, err)
	f.Add(string(example))
	for _, seed := range []string{
		`{}`, ` {"bed":1,"bed":2} `, `{"bed":1,"bed":null}`, `{"pool":1,"pool":2,"a":"b"}`, `{"bed":-0.5e+3,"bath":01}`, `{"bed":1.}`, `{"bed":.5}`, `{"bed":1e}`,
		`{"city":"\u0041","b\u0065d":1}`, `{"city":"a\nb"}`, "{\"city\":\"a\tb\"}", `{"city":" ","bed":true,"bath":[1],"status":{}}`, `{"bed":1,}`, `{,}`, `{"bed" 1}`, `{"bed":1}x`,
		`[]`, `[{}]`, `[{"bed":1},{"bed":"x"}]`, `[{"bed":1},]`, `[null]`, `[[]]`, `[{}`, `null`, `"x"`, `1`, `{"bed":1e400}`, `{"bed":nul}`, `{"":1}`, "\ufeff{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if beyondEncodingJSON(body) || len(body) > maxBody {
			return
		}
		q := &question{body: []byte(body)}
		problems, err := q.decode()
		require.NoError(t, err)
		if !q.list {
			want, err := byEncodingJSON(q.body)
			require.Equal(t, err == nil, problems == nil, "%v %v", err, problems)
			if err == nil {
				require.Equal(t, []decoded{want}, q.decoded)
			}
			return
		}
		var raw []json.RawMessage
		err = json.Unmarshal(q.body, &raw)
		if err != nil || len(raw) > maxList {
			require.Len(t, problems, 1)
			return
		}
		var wrong int
		for i := range raw {
			want, err := byEncodingJSON(raw[i])
			if err != nil {
				wrong++
			} else if problems == nil {
				require.Equal(t, want, q.decoded[i])
			}
		}
		require.Len(t, problems, min(wrong, maxProblems))
	})
}

// FuzzAnswer holds an answer as it is written to what encoding/json makes of its type.
func FuzzAnswer(f *testing.F) {
	f.Add(245706.06, "RealtorPriceModel", "1", "abc", "id", int64(1767225600123456), "pool", "")
	f.Add(1e21, "<&>", "\u2028", "\x00", "\xff", int64(0), "a\"b\\", "é")
	f.Add(-1e-7, "", "", "", "", int64(-1), "", "")
	f.Fuzz(func(t *testing.T, price float64, name, number, run, id string, at int64, first, second string) {
		if math.IsNaN(price) || math.IsInf(price, 0) || at < -1e16 || at > 1e16 {
			return // never answered, and no instant that a request may name
		}
		v := &version{Served: &inference.Served{Identity: inference.Identity{Name: name, Version: number, RunID: run}}}
		v.write()
		q := &question{version: v, id: id, prices: []float64{price, -price}, requests: []request{{AsOf: time.UnixMicro(at).UTC()}, {AsOf: time.Unix(at%1e9, 5).UTC()}}}
		if first != "" {
			q.requests[0].Unknown = []string{first, second}
		}
		for _, q.list = range []bool{false, true} {
			var want bytes.Buffer
			require.NoError(t, json.NewEncoder(&want).Encode(q.typed()))
			require.Equal(t, want.String(), string(q.appendAnswers(nil)))
		}
	})
}
