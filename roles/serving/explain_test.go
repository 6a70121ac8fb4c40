package serving

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/testkit/modeltest"
)

// explainedQuestion is a question about listings that have their prices, asked of the version that a role serves.
func explainedQuestion(t testing.TB, r *role, asked extras, listings ...property.Listing) *question {
	t.Helper()
	v, err := r.version()
	require.NoError(t, err)
	q := &question{version: v, id: "id", asked: asked, list: len(listings) > 1}
	for _, l := range listings {
		var price float64
		price, q.scratch, err = v.Price(&l, modeltest.AsOf(), q.scratch)
		require.NoError(t, err)
		q.requests, q.prices = append(q.requests, request{Listing: l, AsOf: modeltest.AsOf()}), append(q.prices, price)
	}
	return q
}

// What is appended is what encoding/json makes of the same answer, with whatever there is to say.
func TestAnExplainedAnswerIsWrittenAsItsType(t *testing.T) {
	r := newRole(t)
	odd := model.Example()
	odd.AcreLot, odd.Bed, odd.PrevSoldDate = 1e6, property.Null(), property.Text{}
	for name, listings := range map[string][]property.Listing{
		"one": {model.Example()}, "odd": {odd}, "a list": {model.Example(), odd, model.Example()},
	} {
		for _, asked := range []extras{{}, {level: 0.9}, {level: 0.5, explain: true}, {level: 0.99, explain: true}} {
			q := explainedQuestion(t, r, asked, listings...)
			want, err := json.Marshal(q.typed())
			require.NoError(t, err)
			require.Equal(t, string(want)+"\n", string(q.appendAnswers(nil)), "%s %+v", name, asked)
		}
	}
}

func TestAnAnswerSaysWhyItHasNoInterval(t *testing.T) {
	r := newRole(t)
	q := explainedQuestion(t, r, extras{level: 0.9}, model.Example())
	old := *q.version.Model
	old.Residuals = nil
	served := *q.version.Served
	served.Model = &old
	q.version = newVersion(&served, r.metrics)
	var got Answer
	require.NoError(t, json.Unmarshal(q.appendAnswers(nil), &got))
	require.Nil(t, got.Interval)
	require.Equal(t, "this model version was made before intervals were kept; train again to have them", got.NoInterval)
}

func BenchmarkExplain(b *testing.B) {
	r := newRole(b)
	for name, asked := range map[string]extras{"price": {}, "interval": {level: 0.9}, "contributions": {level: 0.9, explain: true}} {
		q := explainedQuestion(b, r, asked, model.Example())
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q.out = q.appendAnswers(q.out[:0])
			}
		})
	}
}
