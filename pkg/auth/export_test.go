package auth

import "time"

// SetClock lets a test say what time it is.
func (a *Authenticator) SetClock(now func() time.Time) { a.now = now }

// Entries is how much is kept in memory.
func (a *Authenticator) Entries() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.entries)
}

// Buckets is how many addresses and names have attempts counted, and the most that may be.
func (a *Authenticator) Buckets() (n, most int) {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	return len(a.limiter.buckets), maxBuckets
}

// Matches reports whether a password is the one of a hash.
func Matches(hash, password string) (bool, error) { return matches(hash, password) }

// NetworkOf is what counts of an address.
func NetworkOf(address string) string { return networkOf(address) }
