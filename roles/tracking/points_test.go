package tracking_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
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

// TestReadPointsIsEncodingJSON: of lists put together at random, what the fast reader reads is what encoding/json reads.
func TestReadPointsIsEncodingJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	one := func(list ...string) string { return list[random.IntN(len(list))] }
	text := func() string {
		return one(`"loss"`, `"a/b c"`, "\"ñ 🏠\u2029\"", `"\u0041"`, `"\"q\""`, `""`, `"\ud800"`, `"{\"key\":1}"`, `"}],"`, "\"\x7f\"", "\"\u2028\"", `null`, `5`, `{}`)
	}
	number := func() string {
		return one("0", "-0", "1", "-1.5", "1e-320", "5e-324", "1e999", "-1e999", "1E+2", "1e18", "1e19", "9223372036854775807", "9223372036854775808",
			"-9223372036854775808", "9007199254740993", "3.0", "1.7976931348623157e308", `"NaN"`, `"Infinity"`, `"-Infinity"`, `"nan"`, `"1"`, `" 1"`, `"+1"`, `".5"`, `"5."`,
			`"1_0"`, `"0x1"`, `""`, `"\u0031"`, `"01"`, "01", "+1", ".5", "1.", "--1", "1e", "null", "true", "[]", "[[[[1]]]]", "NaN", "Infinity")
	}
	space := func() string { return one("", "", "", " ", "\t\n\r") }
	field := func() string {
		name := one(`"key"`, `"value"`, `"timestamp"`, `"step"`, `"model_id"`, `"Key"`, `"other"`, `"dataset_name"`, `"k\u0065y"`)
		value := number()
		if name == `"key"` || name == `"model_id"` || name == `"dataset_name"` {
			value = text()
		}
		return space() + name + space() + ":" + space() + value + space()
	}
	read, valid := 0, 0
	for range 200_000 {
		var points []string
		for range random.IntN(3) {
			fields := []string{`"key":"m"`, `"value":` + number(), `"timestamp":` + one("1", number())}
			for range random.IntN(3) {
				fields = append(fields, field())
			}
			random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
			points = append(points, space()+"{"+strings.Join(fields, ",")+"}"+space())
		}
		sent := "[" + strings.Join(points, ",") + "]"
		if !json.Valid([]byte(sent)) {
			continue
		}
		valid++
		fast, ok := tracking.ReadPointsFast([]byte(sent))
		if !ok {
			continue
		}
		read++
		slow, err := tracking.ReadPointsSlow([]byte(sent))
		require.NoError(t, err, sent)
		require.Equal(t, fmt.Sprint(slow), fmt.Sprint(fast), sent)
	}
	require.Greater(t, read, 20_000, "of %d", valid)
	require.Greater(t, valid-read, 20_000)
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
