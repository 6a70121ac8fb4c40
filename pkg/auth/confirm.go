package auth

import (
	"context"
	"math"
	"time"

	"tasador/pkg/apperror"
)

// known returns who sent something that the database has confirmed not long ago; nil if it must be asked first.
func (a *Authenticator) known(key entryKey) *Principal {
	a.mu.RLock()
	e := a.entries[key]
	a.mu.RUnlock()
	if e == nil {
		return nil
	}
	now := a.now()
	age := now.Sub(e.checked)
	if (!e.expires.IsZero() && !now.Before(e.expires)) || age > a.limits.Outage {
		return nil
	}
	switch silent := a.silentFor(now); {
	case age < freshFor, silent < askPause:
	case age < staleAfter, silent < silentLong:
		a.askBeside(key, e)
	default:
		return nil
	}
	e.used.Store(now.UnixNano())
	return e.principal
}

// silentLong is how long after a question without an answer no request waits for the next one.
const silentLong = time.Minute

// silentFor is how long ago the database did not answer the last question; very long if it did.
func (a *Authenticator) silentFor(now time.Time) time.Duration {
	at := a.away.Load()
	if at == 0 {
		return math.MaxInt64
	}
	return now.Sub(time.Unix(0, at))
}

// askBeside asks again while the request goes on with what was confirmed.
func (a *Authenticator) askBeside(key entryKey, e *entry) {
	if !e.checking.CompareAndSwap(false, true) {
		return
	}
	a.beside.Go(func() {
		defer e.checking.Store(false)
		_, _ = a.ask(context.Background(), key, e.confirm) // what came of it is in the entries
	})
}

// once runs fn for all who ask for the same at the same time. Nobody's leaving ends it for the others.
func (a *Authenticator) once(ctx context.Context, key entryKey, fn func(ctx context.Context) (*Principal, error)) (*Principal, error) {
	done := a.asks.DoChan(string(key.via)+string(key.sum[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
		defer cancel()
		return fn(ctx)
	})
	select {
	case r := <-done:
		p, _ := r.Val.(*Principal)
		return p, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask lets the database confirm something. If it does not answer, what it has confirmed before holds, unless the outage lasts too long.
func (a *Authenticator) ask(ctx context.Context, key entryKey, check confirm) (*Principal, error) {
	return a.once(ctx, key, func(ctx context.Context) (*Principal, error) {
		before, asked := a.epoch(), a.now()
		p, expires, err := check(ctx)
		switch {
		case err == nil:
			a.away.Store(0)
			a.keep(key, &entry{principal: p, checked: asked, expires: expires, confirm: check}, before)
			return p, nil
		case apperror.CodeOf(err) == apperror.Unauthenticated:
			a.away.Store(0)
			a.mu.Lock()
			delete(a.entries, key)
			a.mu.Unlock()
			return nil, err
		}
		a.away.Store(a.now().UnixNano())
		if p := a.known(key); p != nil {
			return p, nil
		}
		return nil, unavailable(err)
	})
}

func (a *Authenticator) epoch() uint64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.forgets
}

// idle is how long passwords that nobody sends any more stay in memory, as digests.
const idle = 10 * time.Minute

// keep remembers what the database has confirmed, unless somebody has changed something since it was asked.
func (a *Authenticator) keep(key entryKey, e *entry, before uint64) {
	now := a.now()
	e.used.Store(now.UnixNano())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgets != before {
		return
	}
	if now.Sub(a.swept) > time.Minute && a.away.Load() == 0 {
		a.swept = now
		for key, e := range a.entries {
			unused := now.Sub(time.Unix(0, e.used.Load()))
			if unused > a.limits.Outage || (key.via == ByPassword && unused > idle) || (!e.expires.IsZero() && !now.Before(e.expires)) {
				delete(a.entries, key)
			}
		}
	}
	for other := range a.entries {
		if len(a.entries) < maxEntries {
			break
		}
		delete(a.entries, other)
	}
	a.entries[key] = e
}

// refusedIfMissing turns what the database does not know into a refusal.
func refusedIfMissing(err error) error {
	if apperror.CodeOf(err) == apperror.NotFound {
		return errRefused(err)
	}
	return err
}

func (a *Authenticator) confirmToken(hash string) confirm {
	return func(ctx context.Context) (*Principal, time.Time, error) {
		t, u, err := a.keeper.TokenByHash(ctx, hash)
		if err != nil {
			return nil, time.Time{}, refusedIfMissing(err)
		}
		now := a.now()
		if t.Expired(now) {
			return nil, time.Time{}, errRefused(nil)
		}
		if now.Sub(t.UsedAt) > usedEvery {
			_ = a.keeper.TokenUsed(ctx, t.ID, now) // a database that cannot be written still says who may do what
		}
		return &Principal{User: u.Name, Role: u.Role.AtMost(t.Role), Via: ByToken, Token: t.Name}, t.ExpiresAt, nil
	}
}

// seenShare is which part of the time that a session may be idle its last use is known to.
const seenShare = 20

func (a *Authenticator) confirmSession(hash string, kind SessionKind) confirm {
	return func(ctx context.Context) (*Principal, time.Time, error) {
		s, u, err := a.keeper.SessionByHash(ctx, hash)
		if err != nil {
			return nil, time.Time{}, refusedIfMissing(err)
		}
		now := a.now()
		unused, patience := now.Sub(s.SeenAt), a.limits.SessionIdle
		if kind == ForCalls {
			patience = a.limits.CallLife
		}
		if s.Kind != kind || !now.Before(s.ExpiresAt) || unused > patience {
			return nil, time.Time{}, errRefused(nil)
		}
		if unused > patience/seenShare {
			_ = a.keeper.SessionSeen(ctx, hash, now) // as above
		}
		via := BySession
		if kind == ForCalls {
			via = ByToken // which is for programs, as others
		}
		return &Principal{User: u.Name, Role: u.Role, Via: via, Session: hash}, s.ExpiresAt, nil
	}
}

// confirmPassword confirms a password that was right by what is kept of it being the same.
func (a *Authenticator) confirmPassword(name, stored string) confirm {
	return func(ctx context.Context) (*Principal, time.Time, error) {
		u, now, err := a.keeper.UserByName(ctx, name)
		if err != nil {
			return nil, time.Time{}, refusedIfMissing(err)
		}
		if now != stored {
			return nil, time.Time{}, errRefused(nil)
		}
		return &Principal{User: u.Name, Role: u.Role, Via: ByPassword}, time.Time{}, nil
	}
}
