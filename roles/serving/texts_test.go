package serving

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/modeltest"
)

func spanish(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("../../web/translations/es.json")
	require.NoError(t, err)
	var es map[string]string
	require.NoError(t, json.Unmarshal(content, &es))
	return es
}

// TestEveryTextOfTheFormIsTranslated holds labels, explanations and error sentences to the Spanish texts.
func TestEveryTextOfTheFormIsTranslated(t *testing.T) {
	es := spanish(t)
	bad := []value{
		{}, {kind: isOther}, {kind: isText, text: "?"}, {kind: isText, text: strings.Repeat("x", 500)}, {kind: isText, text: "a\x00"},
		{kind: isNumber, number: -1}, {kind: isNumber, number: math.NaN()}, {kind: isNumber, number: 1e300}, {kind: isNumber, number: 1.5},
	}
	sentences := map[string]bool{}
	for i, f := range fields() {
		require.Contains(t, es, f.Label)
		require.Contains(t, es, f.Doc)
		for _, v := range bad {
			var one values
			one[i] = v
			problems := checked(one)
			for _, p := range problems {
				sentences[p.Format] = true
				require.Contains(t, es, p.Format)
			}
		}
	}
	require.GreaterOrEqual(t, len(sentences), 8, "the values do not reach every sentence")
}

// TestWhatIsWrongWithAFileIsSaidInTheLanguageOfItsReader sends files as the page and its form do.
func TestWhatIsWrongWithAFileIsSaidInTheLanguageOfItsReader(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	csv := "status,bed,bath,acre_lot,house_size\nsold,-3,2,1,2000\nso\"ld,3,2,1,2000\nsold,3,2,1,2000,7\n"
	lines := "{\n[]\n5\n" + `{"bed":"x"}` + "\n"
	form := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"houses.csv\"\r\n\r\n" + csv + "\r\n--x--\r\n"
	english := []string{"bed: this must not be negative", "the quotes of the row do not pair", "more than the 5 fields"}
	spanish := []string{"bed: no debe ser negativo", "las comillas de la fila no están en pares", "más que los 5 campos"}
	for _, c := range []struct {
		path, kind, body string
		header, says     []string
	}{
		{batchPath, mimeCSV, csv, nil, english},
		{batchPath, mimeCSV, csv, []string{"Accept-Language", "es-CO,es;q=0.9,en;q=0.5"}, spanish},
		{batchPath, mimeCSV, csv, []string{"Accept-Language", "es", "Cookie", "lang=en"}, english},
		{uploadPath, "multipart/form-data; boundary=x", form, []string{"Cookie", "lang=es"}, spanish},
		{uploadPath, "multipart/form-data; boundary=x", form, nil, english},
		{batchPath, mimeNDJSON, lines, []string{"Accept-Language", "es"}, []string{
			"el cuerpo no es JSON: termina a la mitad en el byte 1", "(una lista); envíe una vivienda", "(un número)", "debe ser un número, por ejemplo 3", "este campo es obligatorio",
		}},
		{batchPath, "application/json", "[{}}", []string{"Accept-Language", "es"}, []string{"el cuerpo no es un arreglo JSON"}},
		{batchPath, mimeCSV, "bed\n", []string{"Accept-Language", "es"}, []string{"el CSV no tiene la columna status"}},
		{batchPath, "text/plain", "", []string{"Accept-Language", "es"}, []string{"diga cuál en Content-Type"}},
	} {
		a := s.post(t, c.path, c.kind, c.body, c.header...)
		for _, says := range c.says {
			require.Contains(t, a.body, says, "%s %v", c.path, c.header)
		}
	}
}

func checked(v values) []fieldError {
	return check(&request{}, &v, statuses(), time.Now())
}

// TestTheTableOfFieldsIsWhatIsChecked holds what the form and the document say of a field to what the checks do.
func TestTheTableOfFieldsIsWhatIsChecked(t *testing.T) {
	require.Len(t, fields(), fieldCount)
	types := func(v values, name string) (types []string) {
		for _, p := range checked(v) {
			if p.Loc[1] == name {
				types = append(types, p.Type)
			}
		}
		return types
	}
	for i, f := range fields() {
		require.Equal(t, i, indexOf(f.Name))
		var none, most, more values
		require.Equal(t, f.Required, len(types(none, f.Name)) > 0, f.Name)
		if f.Kind != number && f.Kind != numberOrID {
			continue
		}
		most[i], more[i] = value{kind: isNumber, number: f.Max}, value{kind: isNumber, number: math.Nextafter(f.Max, math.Inf(1))}
		require.Empty(t, types(most, f.Name), f.Name)
		require.Equal(t, []string{"less_than_equal"}, types(more, f.Name), f.Name)
	}
	require.Equal(t, noField, indexOf("pool"))
}

func TestTheDocumentDescribesWhatIsChecked(t *testing.T) {
	d, err := newDocument("1", "RealtorPriceModel")
	require.NoError(t, err)
	es := spanish(t)
	for _, op := range d.operations {
		require.Contains(t, es, op.Summary)
		for _, f := range append(op.Params, op.Body...) {
			require.True(t, f.Doc == "" || es[f.Doc] != "", "%s is not translated", f.Doc)
		}
		for _, a := range op.Answers {
			require.Contains(t, es, a.Description)
			for _, f := range a.Fields {
				require.True(t, f.Doc == "" || es[f.Doc] != "", "%s is not translated", f.Doc)
			}
		}
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	require.NoError(t, json.Unmarshal(d.json, &doc))
	require.Len(t, doc.Components.Schemas["Listing"].Properties, len(fields()))
	for name := range doc.Components.Schemas {
		require.NotContains(t, doc.Components.Schemas[name].Properties, "$schema")
	}
	// The example of the document passes the checks of the server.
	body, err := json.Marshal(exampleBody())
	require.NoError(t, err)
	one, err := byEncodingJSON(body)
	require.NoError(t, err)
	require.Empty(t, one.unknown)
	require.Empty(t, checked(one.values))
}
