package auth

import (
	"net/netip"
	"sync"
	"time"
)

// quota lets burst attempts through at once, and one more after each pause.
type quota struct {
	burst float64
	pause time.Duration
}

// The quotas. Attempts that succeed do not count. With that of names, guessing goes on at six passwords a minute, wherever from.
var (
	loginsOfAddress = quota{burst: 20, pause: 6 * time.Second}
	loginsOfName    = quota{burst: 10, pause: 10 * time.Second}
	tokensOfAddress = quota{burst: 100, pause: 100 * time.Millisecond} // unknown ones, each of which asks the database
)

// maxBuckets bounds the memory of a limiter, to some MiB.
const maxBuckets = 20000

type bucketKey struct {
	of  *quota
	who string
}

type bucket struct {
	left float64
	at   time.Time
}

// limiter counts attempts by address and by name. It is safe for concurrent use.
type limiter struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[bucketKey]bucket
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[bucketKey]bucket{}}
}

// take uses up an attempt. If none is left, it returns how long to wait for the next.
func (l *limiter) take(q *quota, who string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := bucketKey{q, who}
	b := l.refilled(key)
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(q.pause))
	}
	b.left--
	if _, known := l.buckets[key]; !known && len(l.buckets) >= maxBuckets {
		l.makeRoom()
	}
	l.buckets[key] = b
	return 0
}

// giveBack is for an attempt that does not count.
func (l *limiter) giveBack(q *quota, who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := bucketKey{q, who}
	b := l.refilled(key)
	if b.left++; b.left >= q.burst {
		delete(l.buckets, key)
		return
	}
	l.buckets[key] = b
}

func (l *limiter) refilled(key bucketKey) bucket {
	now := l.now()
	b, known := l.buckets[key]
	if !known {
		return bucket{key.of.burst, now}
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.left, b.at = min(key.of.burst, b.left+float64(passed)/float64(key.of.pause)), now
	}
	return b
}

// makeRoom drops the buckets that are full again, and then whichever come first until an eighth is free, so that it is seldom needed.
func (l *limiter) makeRoom() {
	for key := range l.buckets {
		if l.refilled(key).left >= key.of.burst {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets {
		if len(l.buckets) <= maxBuckets-maxBuckets/8 {
			return
		}
		delete(l.buckets, key)
	}
}

// ipv6Network is how many bits of an IPv6 address are one customer's.
const ipv6Network = 64

// networkOf is what counts of an address: whoever has an IPv6 address has its whole network.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if network, err := ip.Prefix(ipv6Network); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
