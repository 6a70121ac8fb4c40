package tracking_test

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/roles/tracking"
)

// TestReadPoints: the fast reader and encoding/json agree on every list that both read, and it reads what clients send.
func TestReadPoints(t *testing.T) {
	for _, sent := range []string{
		`[]`, `[{"key":"loss","value":0.5,"timestamp":1700000000000,"step":3}]`, ` [ { "key" : "a b/ñ" , "value" : -1e-3 , "timestamp" : 1 } ] `,
		`[{"key":"m","value":"NaN","timestamp":"12","step":"4"},{"step":1.0,"timestamp":2.0,"value":"-Infinity","key":"m","model_id":"m-1"}]`,
	} {
		fast, ok := tracking.ReadPointsFast([]byte(sent))
		require.True(t, ok, sent)
		slow, err := tracking.ReadPointsSlow([]byte(sent))
		require.NoError(t, err, sent)
		require.Len(t, fast, len(slow), sent)
		for i := range slow {
			require.Equal(t, slow[i].String(), fast[i].String(), sent)
		}
	}
	for _, sent := range []string{
		`{}`, `null`, `[null]`, `[{}]`, `[{"key":"a","value":1}]`, `[{"key":"","value":1,"timestamp":1}]`, `[{"key":"a\u0062","value":1,"timestamp":1}]`,
		`[{"Key":"a","value":1,"timestamp":1}]`, `[{"key":"a","value":1,"timestamp":1,"key":"b"}]`, `[{"key":"a","value":null,"timestamp":1}]`,
		`[{"key":"a","value":1,"timestamp":1,"context":{}}]`, `[{"key":"a","value":1,"timestamp":1.5}]`, `[{"key":"a","value":"x","timestamp":1}]`,
		`[{"key":5,"value":1,"timestamp":1}]`, `[{"key":"a","value":1e999,"timestamp":1}]`, `[{"key":"a","value":true,"timestamp":1}]`,
	} {
		_, ok := tracking.ReadPointsFast([]byte(sent))
		require.False(t, ok, "%s is left to encoding/json", sent)
		require.True(t, json.Valid([]byte(sent)), sent)
	}
}

// TestCamelKeys: the search for names of fields is that of the regular expression.
func TestCamelKeys(t *testing.T) {
	want := regexp.MustCompile(`"[a-z]+[A-Z][A-Za-z]*"\s*:`)
	random := rand.New(rand.NewPCG(5, 6))
	parts := []string{`"`, `"`, `"`, "runId", "run", "Id", "R", "_", ":", " ", "\t\n", "7", `\"`, "{", ","}
	found := 0
	for range 200_000 {
		var body []byte
		for range random.IntN(9) {
			body = append(body, parts[random.IntN(len(parts))]...)
		}
		require.Equal(t, want.Match(body), tracking.HasCamelKey(body), "%s", body)
		if want.Match(body) {
			found++
		}
	}
	require.Greater(t, found, 100)
}
