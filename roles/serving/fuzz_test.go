package serving

import (
	"bytes"
	"encoding/json"
	"math"
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

// FuzzScan holds the scanner to encoding/json: what it reads, that reads as the same.
func FuzzScan(f *testing.F) {
	example, err := json.Marshal(exampleBody())
	require.NoError(f, err)
	f.Add(example)
	for _, seed := range []string{
		`{}`, ` {"bed":1,"bed":2} `, `{"bed":1,"bed":null}`, `{"pool":1,"pool":2,"a":"b"}`, `{"bed":-0.5e+3,"bath":01}`, `{"bed":1.}`, `{"bed":.5}`, `{"bed":1e}`,
		`{"city":"\u0041","b\u0065d":1}`, `{"city":"a\nb"}`, "{\"city\":\"a\tb\"}", `{"city":" ","bed":true,"bath":[1],"status":{}}`, `{"bed":1,}`, `{,}`, `{"bed" 1}`, `{"bed":1}x`,
		`[]`, `[{}]`, `[{"bed":1},{"bed":"x"}]`, `[{"bed":1},]`, `[null]`, `[[]]`, `[{}`, `null`, `"x"`, `1`, `{"bed":1e400}`, `{"bed":nul}`, `{"":1}`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) {
			return
		}
		text := string(body)
		var one decoded
		if scanListing(text, &one) {
			want, problem := decodeObject(body)
			require.Nil(t, problem)
			require.Equal(t, want, one)
		}
		var all []*decoded
		if scanList(text, func() *decoded { all = append(all, &decoded{}); return all[len(all)-1] }) {
			var raw []json.RawMessage
			require.NoError(t, json.Unmarshal(body, &raw))
			require.Len(t, all, len(raw))
			for i := range raw {
				want, problem := decodeObject(raw[i])
				require.Nil(t, problem)
				require.Equal(t, want, *all[i])
			}
		}
	})
}

// TestTheUsualBodyIsScanned: what is left to encoding/json would be right all the same, and slow.
func TestTheUsualBodyIsScanned(t *testing.T) {
	example, err := json.Marshal(exampleBody())
	require.NoError(t, err)
	for _, body := range []string{string(example), " {\n \"bed\": 3,\r\n\t\"city\": \"Bogotá\", \"pool\": true, \"price\": null }\n"} {
		require.True(t, scanListing(body, &decoded{}), body)
		require.True(t, scanList("["+body+", "+body+"]", func() *decoded { return &decoded{} }), body)
	}
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
