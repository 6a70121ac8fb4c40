package serving

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	one, problem := decodeObject(body)
	require.Nil(t, problem)
	require.Empty(t, one.unknown)
	require.Empty(t, checked(one.values))
}
