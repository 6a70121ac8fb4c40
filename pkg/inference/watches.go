package inference

import (
	"math"
	"slices"
	"sync"

	"tasador/pkg/drift"
	"tasador/pkg/model"
)

// maxWatches is of how many versions is remembered what they were asked: at most a megabyte each.
const maxWatches = 16

// watches keeps the monitors of the versions that answered lately, so that one that comes back goes on where it was.
type watches struct {
	mu   sync.Mutex
	list []watch // the one asked for last at the end
	kept []seen  // of the process before, of versions that have no monitor yet
}

type watch struct {
	what    Identity
	model   *model.Model
	monitor *drift.Monitor
}

// of returns the monitor of a version.
func (w *watches) of(what Identity, m *model.Model) *drift.Monitor {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.IndexFunc(w.list, func(have watch) bool { return have.what == what })
	var found watch
	if at < 0 {
		found = watch{what: what, model: m, monitor: m.Monitor()}
		w.restore(what, found.monitor)
		if len(w.list) == maxWatches {
			w.list = slices.Delete(w.list, 0, 1)
		}
	} else {
		found = w.list[at]
		w.list = slices.Delete(w.list, at, at+1)
	}
	w.list = append(w.list, found)
	return found.monitor
}

// Learn counts what a house was sold for whose price a version predicted, both in dollars; the interval is that of the version at a level. It
// reports false for a version that did not answer lately.
func (p *Predictor) Learn(version string, predicted, actual, level float64) bool {
	p.watches.mu.Lock()
	at := slices.IndexFunc(p.watches.list, func(w watch) bool { return w.what.Version == version })
	var w watch
	if at >= 0 {
		w = p.watches.list[at]
	}
	p.watches.mu.Unlock()
	if at < 0 {
		return false
	}
	f := drift.Feedback{Predicted: predicted, Actual: actual, Low: math.NaN(), High: math.NaN()}
	if interval, err := w.model.Interval(predicted, level); err == nil {
		f.Low, f.High = interval.Low, interval.High
	}
	w.monitor.Learn(f, p.opts.Now())
	return true
}

// Watched is what was seen of one version.
type Watched struct {
	Identity
	Monitor *drift.Monitor
}

// Watched returns what was seen of the versions that answered lately, the newest use first.
func (p *Predictor) Watched() []Watched {
	p.watches.mu.Lock()
	defer p.watches.mu.Unlock()
	var all []Watched
	for _, w := range slices.Backward(p.watches.list) {
		all = append(all, Watched{w.what, w.monitor})
	}
	return all
}

// Watch returns what was seen of a version, nil if it did not answer lately.
func (p *Predictor) Watch(version string) *drift.Monitor {
	for _, w := range p.Watched() {
		if w.Version == version {
			return w.Monitor
		}
	}
	return nil
}
