package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"tasador/pkg/apperror"
)

// Keeper is what an Authenticator asks of the database of users. A name or hash that is not kept is NotFound; any other error means that nobody knows.
type Keeper interface {
	// UserByName returns a user and what is kept of the password.
	UserByName(ctx context.Context, name string) (User, string, error)
	TokenByHash(ctx context.Context, hash string) (Token, User, error)
	TokenUsed(ctx context.Context, id int64, at time.Time) error
	SessionByHash(ctx context.Context, hash string) (Session, User, error)
	SessionSeen(ctx context.Context, hash string, at time.Time) error
	AddSession(ctx context.Context, s Session) error
	RemoveSession(ctx context.Context, hash string) error
}

// How long what the database has said counts.
const (
	freshFor   = 5 * time.Second // it is not asked again
	staleAfter = 15 * time.Second
	askLimit   = 3 * time.Second // of one question
	askPause   = 2 * time.Second // after one that was not answered
	usedEvery  = 10 * time.Minute
	maxEntries = 20000
)

// Limits are how long logins last.
type Limits struct {
	SessionIdle time.Duration // without a request
	SessionLife time.Duration // in all
	CallLife    time.Duration // of what POST /auth/token hands out
	Outage      time.Duration // that what was confirmed before goes on while the database of users is away
}

// Authenticator says who sent a request. What the database of users has confirmed counts for some seconds, so that most requests cost a hash and a look into a
// map; a change elsewhere takes effect within 15 seconds, one that this process is told of (Forget) at once. It is safe for concurrent use.
type Authenticator struct {
	keeper  Keeper
	limits  Limits
	now     func() time.Time
	limiter *limiter
	hashing hashing
	key     [sha256.Size]byte // of the digests of passwords in memory
	decoy   func() string     // the hash that a password of an unknown user is held against

	asks singleflight.Group
	away atomic.Int64 // when the database last did not answer, in ns since 1970; 0 if it did

	mu      sync.RWMutex
	entries map[entryKey]*entry
	forgets uint64                           // counts the calls of Forget
	granted map[[sha256.Size]byte]*Principal // of roles of this process
	swept   time.Time
	beside  sync.WaitGroup // questions that no request waits for
}

// entryKey is a digest of what a client has sent, and which kind that is.
type entryKey struct {
	via Via
	sum [sha256.Size]byte
}

// entry is who has sent something, as the database has confirmed.
type entry struct {
	principal *Principal
	checked   time.Time
	expires   time.Time // zero for never
	confirm   confirm
	checking  atomic.Bool
	used      atomic.Int64 // ns since 1970
}

// confirm asks the database whether something still holds, and until when. Codes: Unauthenticated if it does not.
type confirm func(ctx context.Context) (*Principal, time.Time, error)

// New returns an authenticator on a database of users.
func New(keeper Keeper, limits Limits) *Authenticator {
	a := &Authenticator{
		keeper: keeper, limits: limits, now: time.Now, hashing: make(hashing, hashesAtOnce),
		entries: map[entryKey]*entry{}, granted: map[[sha256.Size]byte]*Principal{},
		decoy: sync.OnceValue(func() string { return HashPassword(rand.Text()) }),
	}
	a.limiter = newLimiter(func() time.Time { return a.now() })
	_, _ = rand.Read(a.key[:]) // never fails
	return a
}

// Close waits for what is still asked.
func (a *Authenticator) Close() { a.beside.Wait() }

// Grant returns a token that holds in this process as long as that lives, for one of its roles to speak to the others.
func (a *Authenticator) Grant(user string, role Role) string {
	secret := newSecret(processPrefix)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.granted[sha256.Sum256([]byte(secret))] = &Principal{User: user, Role: role, Via: ByProcess}
	return secret
}

// Forget makes the authenticator ask the database again for what a user may do; for everybody's without a name.
func (a *Authenticator) Forget(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	for key, e := range a.entries {
		if user == "" || e.principal.User == user {
			delete(a.entries, key)
		}
	}
}

// errRefused is the error of whoever cannot be recognised, in one sentence for all reasons.
func errRefused(cause error) error {
	return apperror.Wrap(apperror.Unauthenticated, cause, "the login is not right or holds no longer; check user and password, or the token")
}

// Token returns who sent an API token, a token of POST /auth/token or one that was granted to a role of this process. Address is where the request comes from.
// Codes: Unauthenticated, RateLimited, Unavailable.
func (a *Authenticator) Token(ctx context.Context, secret, address string) (*Principal, error) {
	if !looksLikeToken(secret) {
		return nil, errRefused(nil)
	}
	sum := sha256.Sum256([]byte(secret))
	if secret[:len(processPrefix)] == processPrefix {
		a.mu.RLock()
		defer a.mu.RUnlock()
		if p := a.granted[sum]; p != nil {
			return p, nil
		}
		return nil, errRefused(nil)
	}
	key := entryKey{ByToken, sum}
	if p := a.known(key); p != nil {
		return p, nil
	}
	network := networkOf(address)
	if wait := a.limiter.take(&tokensOfAddress, network); wait > 0 {
		return nil, tooMany(wait)
	}
	check := a.confirmToken(HashSecret(secret))
	if secret[:len(callPrefix)] == callPrefix {
		check = a.confirmSession(HashSecret(secret), ForCalls)
	}
	p, err := a.ask(ctx, key, check)
	if apperror.CodeOf(err) != apperror.Unauthenticated {
		a.limiter.giveBack(&tokensOfAddress, network)
	}
	return p, err
}

// Session returns who has a session of pages. Codes: Unauthenticated, Unavailable.
func (a *Authenticator) Session(ctx context.Context, secret string) (*Principal, error) {
	if len(secret) != secretLength || secret[:len(pagePrefix)] != pagePrefix {
		return nil, errRefused(nil)
	}
	key := entryKey{BySession, sha256.Sum256([]byte(secret))}
	if p := a.known(key); p != nil {
		return p, nil
	}
	return a.ask(ctx, key, a.confirmSession(HashSecret(secret), ForPages))
}

// Password returns who sent a name and a password, or a name and a token in the password's place, as clients do that know nothing else. Codes: as Token.
func (a *Authenticator) Password(ctx context.Context, name, password, address string) (*Principal, error) {
	if looksLikeToken(password) {
		p, err := a.Token(ctx, password, address)
		if err == nil && name != "" && name != p.User {
			return nil, errRefused(nil) // the token of another
		}
		return p, err
	}
	key := entryKey{ByPassword, a.digest(name, password)}
	if p := a.known(key); p != nil {
		return p, nil
	}
	// Clients send many requests at once: their password is hashed once for all.
	found, err := a.once(ctx, key, func(ctx context.Context) (*Principal, error) {
		before := a.epoch()
		user, stored, err := a.checkPassword(ctx, name, password, address)
		if err != nil {
			return nil, err
		}
		check := a.confirmPassword(user.Name, stored)
		p := &Principal{User: user.Name, Role: user.Role, Via: ByPassword}
		a.keep(key, &entry{principal: p, checked: a.now(), confirm: check}, before)
		return p, nil
	})
	return found, err
}

// digest is what is kept in memory of a name and a password, under a key that leaves the process as little as they do.
func (a *Authenticator) digest(name, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, a.key[:])
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	mac.Sum(sum[:0])
	return sum
}

// checkPassword holds a password against what is kept of it, in the same time whether there is such a user or not.
func (a *Authenticator) checkPassword(ctx context.Context, name, password, address string) (User, string, error) {
	folded, nameErr := ParseName(name)
	network := networkOf(address)
	who := folded
	if nameErr != nil {
		who = "" // all that are no names share a quota
	}
	if wait := max(a.limiter.take(&loginsOfAddress, network), a.limiter.take(&loginsOfName, who)); wait > 0 {
		return User{}, "", tooMany(wait)
	}
	user, stored, err := User{}, a.decoy(), error(nil)
	if nameErr == nil && len(password) <= maxPassword {
		user, stored, err = a.keeper.UserByName(ctx, folded)
	}
	if apperror.CodeOf(err) == apperror.NotFound {
		user, stored, err = User{}, a.decoy(), nil
	}
	if err == nil {
		right, hashErr := a.hashing.matches(ctx, stored, password[:min(len(password), maxPassword)])
		switch {
		case hashErr != nil:
			err = hashErr
		case !right || user.Name == "":
			return User{}, "", errRefused(nil)
		}
	}
	a.limiter.giveBack(&loginsOfAddress, network)
	a.limiter.giveBack(&loginsOfName, who)
	if err != nil {
		return User{}, "", unavailable(err)
	}
	return user, stored, nil
}

func tooMany(wait time.Duration) error {
	seconds := max(1, int(wait.Round(time.Second).Seconds()))
	return apperror.Wrap(apperror.RateLimited, waitError(seconds), "too many logins failed; try again in %d s", seconds)
}

// waitError says how many seconds to wait.
type waitError int

// Error implements error.
func (w waitError) Error() string { return strconv.Itoa(int(w)) + " s to wait" }

// RetryAfter returns how many seconds to wait before trying again, if an error says so.
func RetryAfter(err error) (seconds string, ok bool) {
	var w waitError
	if !errors.As(err, &w) {
		return "", false
	}
	return strconv.Itoa(int(w)), true
}

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return apperror.Wrap(apperror.Unavailable, err, "the users cannot be looked up now; try again later")
}
