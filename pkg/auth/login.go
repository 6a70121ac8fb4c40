package auth

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"
	"unicode"

	"tasador/pkg/apperror"
)

// maxAgent bounds what is kept of a client's name for itself, in bytes.
const maxAgent = 200

// loginLimit is how long a login waits for its turn and for the database.
const loginLimit = 10 * time.Second

// Login is what somebody logs in with.
type Login struct {
	Name, Password string
	Address, Agent string // where from, and the client's name for itself
}

// LogIn begins a session and returns its secret, which is always a new one, and when it ends. Codes: Unauthenticated, RateLimited, Unavailable.
func (a *Authenticator) LogIn(ctx context.Context, l Login, kind SessionKind) (secret string, s Session, err error) {
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	user, _, err := a.checkPassword(ctx, l.Name, l.Password, l.Address)
	if err != nil {
		return "", Session{}, err
	}
	return a.begin(ctx, user.Name, l, kind)
}

func (a *Authenticator) begin(ctx context.Context, user string, l Login, kind SessionKind) (string, Session, error) {
	prefix, life := pagePrefix, a.limits.SessionLife
	if kind == ForCalls {
		prefix, life = callPrefix, a.limits.CallLife
	}
	secret, now := newSecret(prefix), a.now()
	s := Session{
		Hash: HashSecret(secret), User: user, Kind: kind, CreatedAt: now, ExpiresAt: now.Add(life), SeenAt: now,
		Address: plain(l.Address), Agent: plain(l.Agent),
	}
	if err := a.keeper.AddSession(ctx, s); err != nil {
		if apperror.CodeOf(err) == apperror.NotFound {
			return "", Session{}, errRefused(err) // removed in the meantime
		}
		return "", Session{}, unavailable(err)
	}
	return secret, s, nil
}

// CheckPassword reports whether a password is that of a user who is logged in and is asked for it once more. Codes: as LogIn.
func (a *Authenticator) CheckPassword(ctx context.Context, l Login) error {
	_, _, err := a.checkPassword(ctx, l.Name, l.Password, l.Address)
	return err
}

// LogOut ends a session of pages. Codes: Unavailable; then it holds on.
func (a *Authenticator) LogOut(ctx context.Context, secret string) error {
	err := a.keeper.RemoveSession(ctx, HashSecret(secret))
	if err != nil && apperror.CodeOf(err) != apperror.NotFound {
		return unavailable(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	delete(a.entries, entryKey{BySession, sha256.Sum256([]byte(secret))})
	return nil
}

// SessionLife is how long a session of pages lasts at most.
func (a *Authenticator) SessionLife() time.Duration { return a.limits.SessionLife }

// plain is what a client said, short and without what databases and terminals do not take.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxAgent {
		s = strings.ToValidUTF8(s[:maxAgent], "")
	}
	return s
}
