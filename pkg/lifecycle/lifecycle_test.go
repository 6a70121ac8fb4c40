package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) service(name string) lifecycle.Named {
	return lifecycle.Named{Name: name, Service: lifecycle.Func(func(ctx context.Context, ready func()) error {
		j.add(name + " up")
		ready()
		<-ctx.Done()
		j.add(name + " down")
		return nil
	})}
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	var j journal
	ctx, cancel := context.WithCancel(context.Background())
	g := lifecycle.Group{Services: []lifecycle.Named{j.service("database"), j.service("worker"), j.service("http")}}
	require.NoError(t, g.Run(ctx, cancel))
	require.Equal(t, []string{"database up", "worker up", "http up", "http down", "worker down", "database down"}, j.lines)
}

func TestGroupStopsAllWhenOneBreaks(t *testing.T) {
	var j journal
	broken := errors.New("disk on fire")
	proceed := make(chan struct{})
	breaks := lifecycle.Named{Name: "worker", Service: lifecycle.Func(func(_ context.Context, ready func()) error {
		ready()
		<-proceed
		return broken
	})}
	g := lifecycle.Group{Services: []lifecycle.Named{j.service("database"), breaks, j.service("http")}}
	err := g.Run(context.Background(), func() { close(proceed) })
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "worker: disk on fire")
	require.Equal(t, []string{"database up", "http up", "http down", "database down"}, j.lines)
}

func TestGroupNamesAServiceThatEndsByItself(t *testing.T) {
	quits := lifecycle.Named{Name: "worker", Service: lifecycle.Func(func(_ context.Context, ready func()) error { ready(); return nil })}
	require.ErrorContains(t, lifecycle.Group{Services: []lifecycle.Named{quits}}.Run(context.Background(), func() {}), "worker ended by itself")
}

func TestGroupDoesNotStartWhatFollowsAFailedStart(t *testing.T) {
	var j journal
	fails := lifecycle.Named{Name: "http", Service: lifecycle.Func(func(context.Context, func()) error { return errors.New("port is busy") })}
	g := lifecycle.Group{Services: []lifecycle.Named{j.service("database"), fails, j.service("never")}}
	err := g.Run(context.Background(), func() { t.Error("ready although the start failed") })
	require.ErrorContains(t, err, "http: port is busy")
	require.Equal(t, []string{"database up", "database down"}, j.lines)
}

func TestGroupReportsAServiceThatDoesNotStop(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangs := lifecycle.Named{Name: "worker", Service: lifecycle.Func(func(_ context.Context, ready func()) error { ready(); <-release; return nil })}
	ctx, cancel := context.WithCancel(context.Background())
	err := lifecycle.Group{Services: []lifecycle.Named{hangs}, Grace: time.Millisecond}.Run(ctx, cancel)
	require.ErrorContains(t, err, "worker did not stop within 1ms")
}
