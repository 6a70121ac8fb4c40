package serving

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
)

// TestStepsBeginWhereTheOneBeforeEnded draws 100 + 60 − 80 = 80 on 200 units: from 0 to 160, so that a dollar is 1.25 units.
func TestStepsBeginWhereTheOneBeforeEnded(t *testing.T) {
	lines := []whyLine{{Dollars: 100, Total: true}, {Dollars: 60}, {Dollars: -80}, {Dollars: 80, Total: true}}
	drawWhy(lines)
	want := [][3]string{{"0.0", "125.0", "0.0"}, {"125.0", "75.0", "125.0"}, {"100.0", "100.0", "200.0"}, {"0.0", "100.0", "0.0"}}
	for i, w := range want {
		require.Equal(t, w, [3]string{lines[i].X, lines[i].W, lines[i].Start}, "line %d", i)
	}

	// Below zero: 50 − 150 = −100 spans −100 to 50.
	lines = []whyLine{{Dollars: 50, Total: true}, {Dollars: -150}, {Dollars: -100, Total: true}}
	drawWhy(lines)
	want = [][3]string{{"133.3", "66.7", "133.3"}, {"0.0", "200.0", "200.0"}, {"0.0", "133.3", "133.3"}}
	for i, w := range want {
		require.Equal(t, w, [3]string{lines[i].X, lines[i].W, lines[i].Start}, "line %d", i)
	}
}

// TestARangeStandsOnZero draws 100 to 300 with the price 200 and the asking price 400 on 400 units: a dollar is one unit.
func TestARangeStandsOnZero(t *testing.T) {
	asking := 400.0
	v := drawRange(200, model.Interval{Low: 100, High: 300}, &asking, 0)
	require.Equal(t, [4]string{"100.0", "200.0", "200.0", "400.0"}, [4]string{v.From, v.Wide, v.At, v.AskingAt})
	require.Equal(t, [3]string{"100.0", "end", "300.0"}, [3]string{v.LowText, v.LowAnchor, v.HighText})
	require.Equal(t, "362.6", v.AskingText, "its text stays inside: 4 letters and a word")

	// Where both ends are near zero their texts stand beside each other, and one axis may be shared with a longer one.
	v = drawRange(15, model.Interval{Low: 10, High: 20}, nil, 400)
	require.Equal(t, [3]string{"10.0", "start", "38.1"}, [3]string{v.LowText, v.LowAnchor, v.HighText})
	require.Equal(t, "10.0", v.Wide)

	// Nothing to draw is no division by zero.
	v = drawRange(0, model.Interval{}, nil, 0)
	require.Equal(t, [2]string{"0.0", "1.0"}, [2]string{v.From, v.Wide})
}

// TestBinsAreDrawnToOneScale has the largest share fill the height of 68 units.
func TestBinsAreDrawnToOneScale(t *testing.T) {
	share := func(v float64) *float64 { return &v }
	edge := share(3)
	v := drawShares([]DriftBin{{UpTo: edge, Reference: share(0.25), Window: share(0)}, {Above: edge, Reference: share(0.75), Window: share(1)}})
	require.Equal(t, "0.0", v.Bars[0].H)
	require.Equal(t, [3]string{"161.0", "4.0", "68.0"}, [3]string{v.Bars[1].X, v.Bars[1].Y, v.Bars[1].H})
	require.Equal(t, "M0.0 55.0L160.0 55.0L160.0 21.0L320.0 21.0", v.Training)
	require.Equal(t, edge, v.FirstAt)
	require.Empty(t, v.Names)
	named := drawShares([]DriftBin{{Category: "sold", Reference: share(1), Window: share(1)}, {Reference: share(0), Window: share(0)}})
	require.Equal(t, []shareName{{X: "80.0", Category: "sold"}}, named.Names, "what never came needs no name")
}
