package pricemodel

import (
	"context"
	"time"

	"tasador/pkg/dag"
)

// progressEvery is how often a task that is at work says how far it is.
const progressEvery = 2 * time.Second

// progress returns a function that logs how many rows of how many are done, now and then and at the end; total is 0 while nobody knows it.
func (d Deps) progress(ctx context.Context, tc *dag.TaskContext, message string) func(done, total int) {
	next := time.Now().Add(progressEvery)
	return func(done, total int) {
		now := time.Now()
		if done != total && now.Before(next) {
			return
		}
		next = now.Add(progressEvery)
		if total > 0 {
			tc.Log.InfoContext(ctx, message, "rows", done, "of", total)
			return
		}
		tc.Log.InfoContext(ctx, message, "rows", done)
	}
}
