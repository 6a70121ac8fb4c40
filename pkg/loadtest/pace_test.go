package loadtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRequestsAreDueByThePlan(t *testing.T) {
	constant := Plan{Rate: 2.5, Duration: 10 * time.Second}
	require.InDelta(t, 25, constant.requests(), 0)
	require.Equal(t, 400*time.Millisecond, constant.due(1))
	require.Equal(t, 4*time.Second, constant.due(10))

	up := Plan{Rate: 10, RampTo: 30, Duration: 10 * time.Second} // 10 t + t²: 24 by second 2, 200 by second 10
	require.InDelta(t, 200, up.requests(), 0)
	require.Equal(t, time.Duration(0), up.due(0))
	require.InDelta(t, 2*time.Second, up.due(24), float64(time.Microsecond))
	require.InDelta(t, 10*time.Second, up.due(200), float64(time.Microsecond))
	require.InDelta(t, 20, up.rateAt(5*time.Second), 1e-9)

	down := Plan{Rate: 30, RampTo: 10, Duration: 10 * time.Second} // 30 t − t²: 56 by second 2
	require.InDelta(t, 200, down.requests(), 0)
	require.InDelta(t, 2*time.Second, down.due(56), float64(time.Microsecond))
	require.InDelta(t, 10*time.Second, down.due(200), float64(time.Microsecond))
}

func TestPacerEndsWithItsPlanOrContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pacer{ctx: ctx, plan: Plan{Rate: 0.001, Duration: time.Hour}}
	_, stop := p.Pace(0, 0)
	require.False(t, stop)
	_, stop = p.Pace(time.Hour+time.Second, 1)
	require.True(t, stop, "the time is over")
	_, stop = p.Pace(0, 4)
	require.True(t, stop, "the requests are over: 3.6 of them, rounded")
	cancel()
	_, stop = p.Pace(0, 1)
	require.True(t, stop, "without the wait of 1000 seconds")
	require.EqualValues(t, 1, p.sent.Load())
}
