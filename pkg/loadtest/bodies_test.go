package loadtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/loadtest"
)

const listings = `status,bed,bath,acre_lot,house_size,zip_code,price,prev_sold_date
for_sale,3,2,0.5,1800,00601,100000,2020-01-02
for_sale,,2,0.5,1800,00602,,
sold,4,3,1.5,2400,,,
`

func TestBodiesOfAFile(t *testing.T) {
	bodies, leftOut, err := loadtest.FromCSV(t.Context(), strings.NewReader(listings), 1)
	require.NoError(t, err)
	require.Equal(t, 1, leftOut, "no bedrooms")
	require.Len(t, bodies, 2)
	require.JSONEq(t, `{"status": "for_sale", "bed": 3, "bath": 2, "acre_lot": 0.5, "house_size": 1800, "zip_code": "00601", "price": 100000, "prev_sold_date": "2020-01-02"}`, string(bodies[0]))
	require.JSONEq(t, `{"status": "sold", "bed": 4, "bath": 3, "acre_lot": 1.5, "house_size": 2400}`, string(bodies[1]))

	lists, _, err := loadtest.FromCSV(t.Context(), strings.NewReader(listings), 3)
	require.NoError(t, err)
	require.Len(t, lists, 1)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(lists[0], &rows))
	require.Equal(t, []any{"for_sale", "sold", "for_sale"}, []any{rows[0]["status"], rows[1]["status"], rows[2]["status"]}, "the last list is filled from the beginning")

	_, _, err = loadtest.FromCSV(t.Context(), strings.NewReader("status,bed\nsold,3\n"), 1)
	require.ErrorContains(t, err, "no listing of the file has all fields")
	_, _, err = loadtest.FromCSV(t.Context(), strings.NewReader(listings+strings.Repeat("x,", 20)+"\n"), 1)
	require.ErrorContains(t, err, "line 5")
}

func TestGeneratedBodiesRepeatWithTheirSeed(t *testing.T) {
	one, err := loadtest.Generated(7, 2)
	require.NoError(t, err)
	again, err := loadtest.Generated(7, 2)
	require.NoError(t, err)
	other, err := loadtest.Generated(8, 2)
	require.NoError(t, err)
	require.Equal(t, one, again)
	require.NotEqual(t, one, other)
	for _, body := range one {
		var rows []map[string]any
		require.NoError(t, json.Unmarshal(body, &rows))
		require.Len(t, rows, 2)
		for _, name := range []string{"status", "bed", "bath", "acre_lot", "house_size"} {
			require.Contains(t, rows[0], name)
		}
	}
}
