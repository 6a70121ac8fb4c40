package backup

import (
	"context"
	"sync"
	"time"
)

// pace lets so many bytes through in a second, all who share it together. The zero value lets all through.
type pace struct {
	rate float64 // bytes a second
	mu   sync.Mutex
	next time.Time // when what was spent is paid for
}

// burst is how far ahead of its pace somebody may be.
const burst = 50 * time.Millisecond

// spend waits until n bytes may have been moved.
func (p *pace) spend(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil || p.rate == 0 {
		return err
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	wait := p.next.Sub(now) - burst
	p.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
