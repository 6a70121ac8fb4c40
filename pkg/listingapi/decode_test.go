package listingapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
	"tasador/pkg/property"
)

func decode(t *testing.T, payload string) ([]property.Listing, listingapi.Batch, listingapi.Report) {
	t.Helper()
	var rows []property.Listing
	batch, report, err := listingapi.Decode(t.Context(), strings.NewReader(payload), func(l property.Listing) error {
		rows = append(rows, l)
		return nil
	})
	require.NoError(t, err, payload)
	require.Equal(t, len(rows), report.Rows)
	return rows, batch, report
}

// show writes a listing so that two with nulls can be compared.
func show(l property.Listing) string { return fmt.Sprintf("%+v", l) }

const objectRow = `{"brokered_by":103378.0,"status":"for_sale","price":105000.0,"bed":3,"bath":2,"acre_lot":0.12,"street":1962661,` +
	`"city":"Cá\u0069mito","state":"Puerto Rico","zip_code":"00601","house_size":920,"prev_sold_date":null}`

const listRow = `[103378.0,"for_sale",105000.0,3,2,0.12,1962661,"Cá\u0069mito","Puerto Rico",601.0,920,null]`

func wantRow() property.Listing {
	return property.Listing{
		BrokeredBy: 103378, Status: property.NewText("for_sale"), Price: 105000, Bed: 3, Bath: 2, AcreLot: 0.12, Street: 1962661,
		City: property.NewText("Cáimito"), State: property.NewText("Puerto Rico"), ZipCode: property.NewText("00601"), HouseSize: 920,
	}
}

func TestShapesOfAPayload(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		rows    int
		group   int
		number  int
	}{
		"object":              {`{"group_number":7,"batch_number":3,"data":[` + objectRow + `,` + objectRow + `]}`, 2, 7, 3},
		"other order of keys": {`{"data":[` + objectRow + `],"x":{"data":[1,{"a":[]}]},"batch_number":4,"group_number":7}`, 1, 7, 4},
		"white space":         {" \r\n{ \"data\" : [ " + objectRow + " ,\n" + objectRow + " ] , \"group_number\" : 7.0 }\n", 2, 7, 0},
		"numbers as texts":    {`{"group_number":"7","batch_number":"12","data":[` + objectRow + `]}`, 1, 7, 12},
		"bare list":           {`[` + objectRow + `,` + listRow + `]`, 2, 0, 0},
		"list rows":           {`{"batch_number":1,"data":[` + listRow + `]}`, 1, 0, 1},
		"data null":           {`{"group_number":7,"batch_number":3,"data":null}`, 0, 7, 3},
		"data absent":         {`{"group_number":7,"batch_number":3}`, 0, 7, 3},
		"data empty":          {`{"group_number":7,"batch_number":3,"data":[]}`, 0, 7, 3},
		"empty object":        {`{}`, 0, 0, 0},
		"empty list":          {` [ ] `, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rows, batch, report := decode(t, c.payload)
			require.Len(t, rows, c.rows)
			require.Equal(t, c.group, batch.Group)
			require.Equal(t, c.number, batch.Number)
			require.False(t, batch.Finished)
			require.Empty(t, report.Invalid)
			for _, row := range rows {
				require.Equal(t, show(wantRow()), show(row))
			}
			if c.rows > 0 {
				require.Equal(t, property.Columns(), batch.Columns)
			} else {
				require.Empty(t, batch.Columns)
			}
		})
	}
}

func TestColumnsAreThoseThatSomeRowHas(t *testing.T) {
	rows, batch, _ := decode(t, `[{"price":1,"Bed":3,"extra":[{}]},{},{"status":null,"price":2},[1,"sold"]]`)
	require.Equal(t, []string{"brokered_by", "status", "price"}, batch.Columns)
	require.True(t, property.IsNull(rows[0].Bed), "names are exact")
	require.True(t, property.IsNull(rows[1].Price))
	require.Equal(t, property.NewText("sold"), rows[3].Status)
	require.True(t, property.IsNull(rows[3].Price), "a short list ends with nulls")
}

func TestWrongTypesBecomeNullAndAreCounted(t *testing.T) {
	var wrong [][]string
	payload := `[
		{"bed":"3","bath":true,"price":{"usd":1},"city":7,"zip_code":601.5,"status":"sold"},
		{"bed":"three","bath":2,"price":1e999,"city":["x"],"zip_code":123456,"prev_sold_date":20190501},
		{"bed":4,"bath":null,"price":12e3,"city":null,"zip_code":-1,"status":false},
		{"zip_code":601.0},{"zip_code":"601"},{"zip_code":0},{"zip_code":99999}]`
	var rows []property.Listing
	_, report, err := listingapi.DecodeRows(t.Context(), strings.NewReader(payload), func(r listingapi.Row) error {
		rows = append(rows, r.Listing)
		wrong = append(wrong, append([]string{}, r.WrongTyped...))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"bed": 2, "bath": 1, "price": 2, "city": 2, "zip_code": 3, "prev_sold_date": 1, "status": 1}, report.Invalid)
	require.Equal(t, [][]string{
		{"bed", "bath", "price", "city", "zip_code"},
		{"bed", "price", "city", "zip_code", "prev_sold_date"},
		{"zip_code", "status"}, {}, {}, {}, {},
	}, wrong)
	require.True(t, property.IsNull(rows[0].Bed))
	require.False(t, rows[0].City.Valid)
	require.False(t, rows[1].PrevSoldDate.Valid)
	require.Equal(t, 12000.0, rows[2].Price)
	require.Equal(t, []property.Text{property.NewText("00601"), property.NewText("601"), property.NewText("00000"), property.NewText("99999")},
		[]property.Text{rows[3].ZipCode, rows[4].ZipCode, rows[5].ZipCode, rows[6].ZipCode})
}

func TestExhaustedAnswerIsRecognised(t *testing.T) {
	for detail, want := range map[string]bool{
		"Ya se recolectó toda la información mínima necesaria":              true,
		"Ya se recolecto toda la informacion minima necesaria":              true,
		"400: YA SE RECOLECTÓ toda la informacio\u0301n  mínima necesaria.": true,
		"Grupo no encontrado": false,
	} {
		raw, err := json.Marshal(map[string]string{"detail": detail})
		require.NoError(t, err)
		_, batch, _ := decode(t, string(raw))
		require.Equal(t, want, batch.Finished, detail)
	}
}

func TestUnreadablePayloads(t *testing.T) {
	long := strings.Repeat("x", 1<<20+1)
	for name, c := range map[string]struct{ payload, says string }{
		"nothing":               {"", "at byte 0: it is empty"},
		"white space":           {"  \n", "the JSON ends in the middle"},
		"cut off in a row":      {`{"data":[{"bed":3},{"be`, "at byte 23, in row 2: the JSON ends in the middle, so the answer was cut off"},
		"cut off after a row":   {`{"data":[{"bed":3}`, "at byte 18: the JSON ends in the middle"},
		"cut off in a word":     {`[{"bed":nul`, "in row 1: the JSON ends in the middle"},
		"cut off in an escape":  {`[{"city":"a\u00`, "the JSON ends in the middle"},
		"cut off in a pair":     {`[{"city":"a\ud83d\u`, "the JSON ends in the middle"},
		"a web page":            {"<!doctype html><html>", "'<' stands where a value belongs"},
		"a text":                {`"hello"`, "it is a text, not an object or a list of rows"},
		"null":                  {`null`, "it is null, not an object or a list of rows"},
		"data is a number":      {`{"data":5}`, "data is a number, not a list of rows"},
		"data twice":            {`{"data":[],"data":[]}`, "data stands in it twice"},
		"a row is a number":     {`[{"bed":3},5]`, "in row 2: the row is a number, not an object or a list"},
		"a row is null":         {`[null]`, "in row 1: the row is null"},
		"a row is too long":     {`[[1,2,3,4,5,6,7,8,9,10,11,12,13]]`, "in row 1: the row has more than the 12 values that a listing has"},
		"a long text":           {`[{"city":"` + long + `"}]`, "in row 1: a text field is longer than 1048576 bytes"},
		"a long unknown text":   {`[{"other":["` + long + `"]}]`, "a text field is longer than 1048576 bytes"},
		"a long name":           {`[{"` + long + `":1}]`, "a text field is longer than 1048576 bytes"},
		"a long number":         {`[{"bed":` + strings.Repeat("1", 2000) + `}]`, "a number is longer than 1024 bytes"},
		"NaN":                   {`[{"bed":NaN}]`, "'N' stands where a value belongs"},
		"a leading zero":        {`[{"bed":03}]`, `"03" is not a number of JSON`},
		"a plus":                {`[{"bed":+3}]`, "'+' stands where a value belongs"},
		"a trailing comma":      {`[{"bed":3,}]`, "stands where a name in quotes belongs"},
		"no comma":              {`[{"bed":3 "bath":2}]`, "stands where a comma or '}' belongs"},
		"a second value":        {`[] []`, "'[' follows the end of the JSON"},
		"a raw line break":      {"[{\"city\":\"a\nb\"}]", "control character"},
		"an unknown escape":     {`[{"city":"a\q"}]`, "follows a backslash"},
		"nesting without end":   {`[{"x":` + strings.Repeat("[", 100_000), "nest deeper than 256"},
		"single quotes":         {`[{'bed':3}]`, "stands where a name in quotes belongs"},
		"an unfinished decimal": {`[{"bed":3.}]`, `"3." is not a number of JSON`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := listingapi.Decode(t.Context(), strings.NewReader(c.payload), func(property.Listing) error { return nil })
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "the data API's answer cannot be read at byte ")
			require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
			require.Less(t, len(err.Error()), 300)
		})
	}
}

func TestTextOfOneMebibyteIsFine(t *testing.T) {
	city := strings.Repeat("x", 1<<20)
	rows, _, _ := decode(t, `[{"city":"`+city+`"}]`)
	require.Equal(t, city, rows[0].City.Value)
}

func TestOthersErrorsComeBackAsTheyAre(t *testing.T) {
	full := errors.New("disk full")
	_, report, err := listingapi.Decode(t.Context(), strings.NewReader(`[{},{},{}]`), func(property.Listing) error { return full })
	require.Equal(t, full, err)
	require.Equal(t, 0, report.Rows)

	broken := iotest.ErrReader(errors.New("bad sector"))
	_, _, err = listingapi.Decode(t.Context(), io.MultiReader(strings.NewReader(`[{"bed":1},{"b`), broken), func(property.Listing) error { return nil })
	require.EqualError(t, err, "read the payload: bad sector")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, err = listingapi.Decode(ctx, strings.NewReader("["+strings.Repeat("{},", 5000)+"{}]"), func(property.Listing) error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
}

func TestSmallReadsMakeNoDifference(t *testing.T) {
	payload := `{"data":[` + objectRow + `,` + listRow + `,{"city":"\ud83d\ude00 \ud83d x\"\\\/\b\f\n\r\t"}]}`
	var rows []property.Listing
	_, _, err := listingapi.Decode(t.Context(), iotest.OneByteReader(strings.NewReader(payload)), func(l property.Listing) error {
		rows = append(rows, l)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, show(wantRow()), show(rows[0]))
	require.Equal(t, show(wantRow()), show(rows[1]))
	require.Equal(t, "😀 \ufffd x\"\\/\b\f\n\r\t", rows[2].City.Value)
}

// FuzzDecode holds the decoder to encoding/json: what that refuses it must refuse, and what both take must be the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"group_number":7,"batch_number":3,"data":[` + objectRow + `]}`, `[` + listRow + `]`, `[{"bed":-1.5e3,"city":"\ud83d\ude00\ud800"}]`,
		`{"data":[{"zip_code":601.0,"x":{"y":[null,true,"\u0000"]}}]}`, `{"detail":"Ya se recolectó"}`, `[{"bed":1e999}]`, `[{"bed":"3","bed":4}]`, `[`, `{}`, "[{\"city\":\"\xff\"}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		var rows []property.Listing
		_, _, err := listingapi.Decode(context.Background(), strings.NewReader(payload), func(l property.Listing) error {
			rows = append(rows, l)
			return nil
		})
		if err != nil {
			return
		}
		require.True(t, json.Valid([]byte(payload)), "the decoder took what is no JSON")
		var whole any
		asText := json.NewDecoder(strings.NewReader(payload))
		asText.UseNumber() // 1e999 is JSON, yet no double
		require.NoError(t, asText.Decode(&whole))
		list, isList := whole.([]any)
		if object, ok := whole.(map[string]any); ok {
			list, isList = object["data"].([]any)
		}
		if !isList {
			require.Empty(t, rows)
			return
		}
		require.Len(t, rows, len(list))
		for i, row := range list {
			compare(t, row, rows[i])
		}
	})
}

func compare(t *testing.T, row any, l property.Listing) {
	t.Helper()
	var bed, city any
	switch row := row.(type) {
	case map[string]any:
		bed, city = row["bed"], row["city"]
	case []any:
		if len(row) > 3 {
			bed = row[3]
		}
		if len(row) > 7 {
			city = row[7]
		}
	}
	number, isNumber := bed.(json.Number)
	want, err := number.Float64()
	isNumber = isNumber && err == nil
	require.Equal(t, !isNumber, property.IsNull(l.Bed))
	if isNumber {
		require.Equal(t, want, l.Bed)
	}
	text, isText := city.(string)
	require.Equal(t, property.Text{Value: text, Valid: isText}, l.City)
}

// BenchmarkDecode reads rows like those of the real data API: MB/s and rows/s.
func BenchmarkDecode(b *testing.B) {
	const rows = 20_000
	payload := `{"data":[` + strings.Repeat(objectRow+",", rows-1) + objectRow + `]}`
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		_, report, err := listingapi.Decode(b.Context(), strings.NewReader(payload), func(property.Listing) error { return nil })
		if err != nil || report.Rows != rows {
			b.Fatal(err, report.Rows)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
