package serving

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
		values, _, problem := decodeJSON(body)
		if problem != nil {
			require.NotEmpty(t, problem.Format)
			return
		}
		var req request
		problems := check(&req, &values, statuses(), time.Unix(0, 0))
		for _, p := range problems {
			require.Len(t, p.Loc, 2)
			require.NotEmpty(t, p.Format)
		}
		if len(problems) > 0 {
			return
		}
		for _, v := range []float64{req.Listing.Bed, req.Listing.Bath, req.Listing.AcreLot, req.Listing.HouseSize} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0) || v < 0)
		}
		require.True(t, req.Listing.Status.Valid)
	})
}
