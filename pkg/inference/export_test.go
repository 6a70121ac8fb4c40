package inference

import (
	"context"
	"time"

	"tasador/pkg/property"
)

// Look asks the registry once, as Run does.
func (p *Predictor) Look(ctx context.Context) { p.lookAll(ctx) }

// SetShadow makes the shadow price by fn, from the next version on.
func (p *Predictor) SetShadow(fn func(*Served, *property.Listing, time.Time) (float64, error)) {
	p.shadow.price = fn
}

// StopShadow ends the work of the shadow, as the end of Run does.
func (p *Predictor) StopShadow() { p.shadow.stop() }

// Takes reports whether a share takes the request of an id.
func Takes(share float64, id string) bool { return thresholdOf(share).takes(id) }
