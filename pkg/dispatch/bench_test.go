package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tasador/migrations"
	"tasador/pkg/dag"
	"tasador/pkg/testkit"
)

// BenchmarkHandOver measures the time from the end of a task to the start of the next one, in a chain of b.N empty tasks, on each
// engine.
func BenchmarkHandOver(b *testing.B) {
	for _, engine := range migrations.Dialects("dagrun") {
		b.Run(engine, func(b *testing.B) { benchmarkHandOver(b, place(testkit.NewDatabase(b, engine))) })
	}
}

func benchmarkHandOver(b *testing.B, at place) {
	s := openStore(b, at)
	b.Cleanup(func() { _ = s.Close() })
	tasks := []dag.Task{task("t0", ok)}
	for i := range b.N {
		tasks = append(tasks, task(fmt.Sprintf("t%d", i+1), ok, tasks[i].ID))
	}
	e := start(b, options(b, at, s, plan(b, tasks...)))
	b.ResetTimer()
	e.trigger(b, "r")
	e.awaitRun(b, "r", dag.RunSuccess)
	b.StopTimer()
	instances, err := s.Instances(b.Context(), "d", "r")
	if err != nil {
		b.Fatal(err)
	}
	var waits []time.Duration
	for i := range b.N {
		waits = append(waits, instances[i+1].StartedAt.Sub(instances[i].Ended))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*95/100].Microseconds())/1000, "p95-ms")
}
