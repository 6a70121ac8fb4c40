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
	for _, f := range fields() {
		require.Contains(t, es, f.Label)
		require.Contains(t, es, f.Doc)
		for _, v := range bad {
			_, problems := check(map[string]value{f.Name: v}, nil, time.Now())
			for _, p := range problems {
				sentences[p.Format] = true
				require.Contains(t, es, p.Format)
			}
		}
	}
	require.GreaterOrEqual(t, len(sentences), 8, "the values do not reach every sentence")
}

func TestTheDocumentDescribesWhatIsChecked(t *testing.T) {
	d, err := newDocument("1")
	require.NoError(t, err)
	es := spanish(t)
	for _, op := range d.operations {
		require.Contains(t, es, op.Summary)
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
	values, unknown, problem := decodeJSON(body)
	require.Nil(t, problem)
	require.Empty(t, unknown)
	_, problems := check(values, nil, time.Now())
	require.Empty(t, problems)
}
