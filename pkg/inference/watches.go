package inference

import (
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
}

type watch struct {
	what    Identity
	monitor *drift.Monitor
}

// of returns the monitor of a version.
func (w *watches) of(what Identity, m *model.Model) *drift.Monitor {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.IndexFunc(w.list, func(have watch) bool { return have.what == what })
	var found watch
	if at < 0 {
		found = watch{what: what, monitor: m.Monitor()}
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

// Watch returns what was seen of a version, nil if it did not answer lately: a nil Monitor takes feedback without a word.
func (p *Predictor) Watch(version string) *drift.Monitor {
	for _, w := range p.Watched() {
		if w.Version == version {
			return w.Monitor
		}
	}
	return nil
}
