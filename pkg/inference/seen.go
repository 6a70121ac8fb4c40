package inference

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tasador/pkg/drift"
)

const (
	seenName  = "seen"          // the file that keeps what the monitors have counted
	seenEvery = 5 * time.Second // what the end of the process by force may lose of it
	mostSeen  = 64 << 20        // bytes of the file; it has one at most for each version
)

// seen is what a monitor of a version has counted.
type seen struct {
	What    Identity
	Counted drift.Counted
}

// state returns what the monitors have counted, and what was kept of versions that nobody asked for since, the newest use first.
func (w *watches) state() (all []seen) {
	w.mu.Lock()
	list := append([]watch(nil), w.list...)
	kept := append([]seen(nil), w.kept...)
	w.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		all = append(all, seen{list[i].what, list[i].monitor.Counted()})
	}
	all = append(all, kept...)
	return all[:min(len(all), maxWatches)]
}

// restore lets a fresh monitor go on where that of its version was when the process ended. mu must be held.
func (w *watches) restore(what Identity, monitor *drift.Monitor) {
	for i, k := range w.kept {
		if k.What == what {
			monitor.Restore(k.Counted)
			w.kept = append(w.kept[:i:i], w.kept[i+1:]...)
			return
		}
	}
}

func (p *Predictor) seenPath() string { return filepath.Join(p.opts.Dir, seenName) }

// loadSeen reads what the process before has counted. Without it the windows begin anew.
func (p *Predictor) loadSeen() {
	content, err := os.ReadFile(p.seenPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var kept []seen
	if err == nil && len(content) > mostSeen {
		err = fmt.Errorf("it has %d bytes", len(content))
	}
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(content)).Decode(&kept)
	}
	if err != nil {
		p.opts.Log.Warn("what was seen of the versions before cannot be read; the windows of drift begin anew", "file", p.seenPath(), "error", err)
		return
	}
	p.watches.kept = kept[:min(len(kept), maxWatches)]
}

// keepSeen saves now and then what the monitors have counted, until ctx ends, and then once more.
func (p *Predictor) keepSeen(ctx context.Context) {
	ticks := time.NewTicker(seenEvery)
	defer ticks.Stop()
	var saved []byte
	failing := false
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-ticks.C:
		}
		content, err := p.saveSeen(saved)
		if err == nil {
			saved = content
		}
		if err != nil && !failing {
			p.opts.Log.Warn("what was seen of the versions cannot be kept on disk; a restart would begin the windows of drift anew", "file", p.seenPath(), "error", err)
		}
		failing = err != nil
	}
}

// saveSeen saves what the monitors have counted, unless that is what was saved last.
func (p *Predictor) saveSeen(last []byte) ([]byte, error) {
	all := p.watches.state()
	if len(all) == 0 {
		return last, nil
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(all); err != nil {
		return nil, err
	}
	if bytes.Equal(out.Bytes(), last) {
		return last, nil
	}
	if err := os.MkdirAll(p.opts.Dir, 0o750); err != nil {
		return nil, err
	}
	fresh := p.seenPath() + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(out.Bytes())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), os.Rename(fresh, p.seenPath())
}
