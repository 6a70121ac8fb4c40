package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore/authstore"
)

const password = "correct horse battery"

// world is an authenticator on a database of its own with a viewer, an editor and an admin of the same password, at a time that the test sets.
type world struct {
	*testing.T
	*auth.Authenticator
	store *authstore.Store
	now   atomic.Int64
	asked *counting
}

// counting counts what a database is asked, and can be away.
type counting struct {
	auth.Keeper
	n    atomic.Int64
	away atomic.Bool
}

func (c *counting) ask() error {
	c.n.Add(1)
	if c.away.Load() {
		return apperror.New(apperror.Unavailable, "the database does not answer")
	}
	return nil
}

func (c *counting) UserByName(ctx context.Context, name string) (auth.User, string, error) {
	if err := c.ask(); err != nil {
		return auth.User{}, "", err
	}
	return c.Keeper.UserByName(ctx, name)
}

func (c *counting) TokenByHash(ctx context.Context, hash string) (auth.Token, auth.User, error) {
	if err := c.ask(); err != nil {
		return auth.Token{}, auth.User{}, err
	}
	return c.Keeper.TokenByHash(ctx, hash)
}

func (c *counting) SessionByHash(ctx context.Context, hash string) (auth.Session, auth.User, error) {
	if err := c.ask(); err != nil {
		return auth.Session{}, auth.User{}, err
	}
	return c.Keeper.SessionByHash(ctx, hash)
}

var limits = auth.Limits{SessionIdle: time.Hour, SessionLife: 8 * time.Hour, CallLife: 2 * time.Hour, Outage: 3 * time.Hour}

// hash is made once; it takes a while.
var hash = sync.OnceValue(func() string { return auth.HashPassword(password) })

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := authstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "auth.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for _, role := range auth.Roles() {
		_, err := store.AddUser(t.Context(), string(role), role, hash())
		require.NoError(t, err)
	}
	w := &world{T: t, store: store, asked: &counting{Keeper: store}}
	w.Authenticator = auth.New(w.asked, limits)
	w.now.Store(time.Now().UnixNano())
	w.SetClock(func() time.Time { return time.Unix(0, w.now.Load()) })
	t.Cleanup(func() {
		w.Close()
		require.NoError(t, store.Close())
	})
	return w
}

func (w *world) pass(d time.Duration) { w.now.Add(int64(d)) }

// token makes a token of a user that may do at most as much as a role, and ends after life, if that is not 0.
func (w *world) token(owner string, most auth.Role, life time.Duration) (secret string, id int64) {
	w.Helper()
	t := auth.Token{Owner: owner, Name: fmt.Sprint("t", w.now.Add(1)), Role: most}
	if life != 0 {
		t.ExpiresAt = time.Unix(0, w.now.Load()).Add(life)
	}
	secret = auth.NewToken()
	made, err := w.store.AddToken(w.Context(), t, auth.HashSecret(secret))
	require.NoError(w, err)
	return secret, made.ID
}

func (w *world) requireRole(role auth.Role, p *auth.Principal, err error) {
	w.Helper()
	require.NoError(w, err)
	require.Equal(w, role, p.Role)
}

func (w *world) requireCode(code apperror.Code, p *auth.Principal, err error) {
	w.Helper()
	require.Error(w, err)
	require.Nil(w, p)
	require.Equal(w, code, apperror.CodeOf(err), err.Error())
}

// eventually asks again until the database was asked beside the requests.
func (w *world) eventually(what func() bool) {
	w.Helper()
	require.Eventually(w, what, time.Minute, time.Millisecond)
}

const from = "192.0.2.1"

func TestATokenCostsOneQuestionInAWhile(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token("editor", auth.Admin, 0)
	for range 1000 {
		p, err := w.Token(t.Context(), secret, from)
		w.requireRole(auth.Editor, p, err)
		require.Equal(t, "editor", p.User)
		require.Equal(t, auth.ByToken, p.Via)
	}
	require.EqualValues(t, 1, w.asked.n.Load())
	w.pass(6 * time.Second) // goes on while the database is asked beside
	p, err := w.Token(t.Context(), secret, from)
	w.requireRole(auth.Editor, p, err)
	w.eventually(func() bool { return w.asked.n.Load() == 2 })
	tokens, err := w.store.Tokens(t.Context(), "editor")
	require.NoError(t, err)
	require.False(t, tokens[0].UsedAt.IsZero())
}

func TestATokenMayDoLessThanItsUserAndNeverMore(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		owner      string
		most, want auth.Role
	}{{"admin", auth.Viewer, auth.Viewer}, {"viewer", auth.Admin, auth.Viewer}, {"editor", auth.Editor, auth.Editor}} {
		secret, _ := w.token(c.owner, c.most, 0)
		p, err := w.Token(t.Context(), secret, from)
		w.requireRole(c.want, p, err)
		p, err = w.Password(t.Context(), c.owner, secret, from) // in the place of a password
		w.requireRole(c.want, p, err)
		p, err = w.Password(t.Context(), "", secret, from)
		w.requireRole(c.want, p, err)
		p, err = w.Password(t.Context(), "nobody", secret, from)
		w.requireCode(apperror.Unauthenticated, p, err)
	}
}

func TestARevokedTokenEnds(t *testing.T) {
	w := newWorld(t)
	secret, id := w.token("editor", auth.Editor, 0)
	p, err := w.Token(t.Context(), secret, from)
	w.requireRole(auth.Editor, p, err)
	require.NoError(t, w.store.RemoveToken(t.Context(), "editor", id)) // by another process
	w.pass(16 * time.Second)
	p, err = w.Token(t.Context(), secret, from)
	w.requireCode(apperror.Unauthenticated, p, err)

	secret, id = w.token("editor", auth.Editor, 0)
	p, err = w.Token(t.Context(), secret, from)
	w.requireRole(auth.Editor, p, err)
	require.NoError(t, w.store.RemoveToken(t.Context(), "editor", id)) // by this one
	w.Forget("editor")
	p, err = w.Token(t.Context(), secret, from)
	w.requireCode(apperror.Unauthenticated, p, err)
}

func TestAnExpiredTokenEndsAtItsInstant(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token("editor", auth.Editor, time.Hour)
	for range 2 {
		p, err := w.Token(t.Context(), secret, from)
		w.requireRole(auth.Editor, p, err)
		w.pass(time.Hour - time.Second)
	}
	w.pass(2*time.Second - time.Hour + time.Second)
	w.pass(time.Second)
	p, err := w.Token(t.Context(), secret, from)
	w.requireCode(apperror.Unauthenticated, p, err)
	w.asked.away.Store(true) // an outage makes it no longer
	p, err = w.Token(t.Context(), secret, from)
	require.Error(t, err)
	require.Nil(t, p)
}

func TestAChangedRoleHoldsForWhoIsLoggedIn(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token("editor", auth.Admin, 0)
	cookie, _, err := w.LogIn(t.Context(), auth.Login{Name: "editor", Password: password, Address: from}, auth.ForPages)
	require.NoError(t, err)
	all := func(want auth.Role) {
		p, err := w.Token(t.Context(), secret, from)
		w.requireRole(want, p, err)
		p, err = w.Session(t.Context(), cookie)
		w.requireRole(want, p, err)
		p, err = w.Password(t.Context(), "editor", password, from)
		w.requireRole(want, p, err)
	}
	all(auth.Editor)
	require.NoError(t, w.store.SetRole(t.Context(), "editor", auth.Viewer))
	w.pass(16 * time.Second)
	all(auth.Viewer)
}

func TestAPasswordIsHashedOnceForManyRequests(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			p, err := w.Password(t.Context(), "Editor", password, from)
			w.requireRole(auth.Editor, p, err)
			require.Equal(t, "editor", p.User)
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, w.asked.n.Load())
	require.NoError(t, w.store.SetPassword(t.Context(), "editor", auth.HashPassword("another one entirely"), ""))
	w.pass(16 * time.Second)
	p, err := w.Password(t.Context(), "Editor", password, from)
	w.requireCode(apperror.Unauthenticated, p, err)
}

func TestAnOutageRefusesNobodyWhoWasRightBefore(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token("editor", auth.Editor, 0)
	other, _ := w.token("editor", auth.Editor, 0)
	p, err := w.Token(t.Context(), secret, from)
	w.requireRole(auth.Editor, p, err)
	p, err = w.Password(t.Context(), "viewer", password, from)
	w.requireRole(auth.Viewer, p, err)
	w.asked.away.Store(true)
	for range 10 {
		w.pass(15 * time.Minute)
		p, err = w.Token(t.Context(), secret, from)
		w.requireRole(auth.Editor, p, err)
		p, err = w.Password(t.Context(), "viewer", password, from)
		w.requireRole(auth.Viewer, p, err)
		p, err = w.Token(t.Context(), other, from)
		w.requireCode(apperror.Unavailable, p, err) // nobody knows
	}
	// Requests do not wait for the database again and again.
	before := w.asked.n.Load()
	for range 100 {
		p, err = w.Token(t.Context(), secret, from)
		w.requireRole(auth.Editor, p, err)
	}
	require.LessOrEqual(t, w.asked.n.Load(), before+1)
	w.pass(limits.Outage)
	p, err = w.Token(t.Context(), secret, from)
	w.requireCode(apperror.Unavailable, p, err)
	w.asked.away.Store(false)
	p, err = w.Token(t.Context(), secret, from)
	w.requireRole(auth.Editor, p, err)
}

func TestASessionEndsByItself(t *testing.T) {
	w := newWorld(t)
	l := auth.Login{Name: "editor", Password: password, Address: from, Agent: "a browser"}
	cookie, s, err := w.LogIn(t.Context(), l, auth.ForPages)
	require.NoError(t, err)
	require.Equal(t, limits.SessionLife, s.ExpiresAt.Sub(s.CreatedAt))
	for range 7 { // used every hour but a bit, it lasts until its end
		w.pass(limits.SessionIdle - 4*time.Minute)
		p, err := w.Session(t.Context(), cookie)
		w.requireRole(auth.Editor, p, err)
		require.Equal(t, auth.BySession, p.Via)
	}
	w.pass(limits.SessionLife - 7*(limits.SessionIdle-4*time.Minute))
	p, err := w.Session(t.Context(), cookie)
	w.requireCode(apperror.Unauthenticated, p, err)

	cookie, _, err = w.LogIn(t.Context(), l, auth.ForPages)
	require.NoError(t, err)
	w.pass(limits.SessionIdle + time.Second) // unused
	p, err = w.Session(t.Context(), cookie)
	w.requireCode(apperror.Unauthenticated, p, err)
}

func TestALogoutEndsTheSessionAtOnce(t *testing.T) {
	w := newWorld(t)
	cookie, _, err := w.LogIn(t.Context(), auth.Login{Name: "editor", Password: password, Address: from}, auth.ForPages)
	require.NoError(t, err)
	p, err := w.Session(t.Context(), cookie)
	w.requireRole(auth.Editor, p, err)
	require.NoError(t, w.LogOut(t.Context(), cookie))
	p, err = w.Session(t.Context(), cookie)
	w.requireCode(apperror.Unauthenticated, p, err)
	require.NoError(t, w.LogOut(t.Context(), cookie))
}

func TestSecretsAreGoodForWhatTheyWereMadeFor(t *testing.T) {
	w := newWorld(t)
	l := auth.Login{Name: "editor", Password: password, Address: from}
	cookie, _, err := w.LogIn(t.Context(), l, auth.ForPages)
	require.NoError(t, err)
	call, _, err := w.LogIn(t.Context(), l, auth.ForCalls)
	require.NoError(t, err)
	token, _ := w.token("editor", auth.Editor, 0)
	granted := w.Grant("pipeline", auth.Editor)
	for secret, isToken := range map[string]bool{cookie: false, call: true, token: true, granted: true} {
		p, err := w.Token(t.Context(), secret, from)
		require.Equal(t, isToken, err == nil, "%v %v", p, err)
		p, err = w.Session(t.Context(), secret)
		require.Equal(t, secret == cookie, err == nil, "%v %v", p, err)
		p, err = w.Session(t.Context(), "tsp_"+strings.TrimPrefix(secret, "tsc_"))
		require.Equal(t, false, err == nil && secret != cookie, "%v %v", p, err)
	}
	p, err := w.Token(t.Context(), "tsi_"+token[4:], from)
	w.requireCode(apperror.Unauthenticated, p, err)
	w.pass(limits.CallLife)
	p, err = w.Token(t.Context(), call, from)
	w.requireCode(apperror.Unauthenticated, p, err)
	p, err = w.Token(t.Context(), granted, from)
	w.requireRole(auth.Editor, p, err)
}

func TestGuessingIsSlow(t *testing.T) {
	w := newWorld(t)
	p, err := w.Password(t.Context(), "viewer", password, from)
	w.requireRole(auth.Viewer, p, err)
	refused := 0
	for i := range 40 {
		_, err := w.Password(t.Context(), "viewer", fmt.Sprint("wrong password ", i), fmt.Sprint("192.0.2.", i)) // by name, wherever from
		switch apperror.CodeOf(err) {
		case apperror.Unauthenticated:
			refused++
		default:
			require.Equal(t, apperror.RateLimited, apperror.CodeOf(err))
			require.Regexp(t, `too many logins failed; try again in \d+ s`, err.Error())
		}
	}
	require.Equal(t, 10, refused)
	_, _, err = w.LogIn(t.Context(), auth.Login{Name: "viewer", Password: password, Address: from}, auth.ForPages)
	require.Equal(t, apperror.RateLimited, apperror.CodeOf(err), "not even the right one is tried")
	p, err = w.Password(t.Context(), "viewer", password, from)
	w.requireRole(auth.Viewer, p, err) // who was right before is not locked out
	w.pass(time.Minute)
	_, _, err = w.LogIn(t.Context(), auth.Login{Name: "viewer", Password: password, Address: from}, auth.ForPages)
	require.NoError(t, err)

	w = newWorld(t)
	refused = 0
	for i := range 60 { // by address, whatever the name
		_, err := w.Password(t.Context(), fmt.Sprint("u", i), "wrong password", "2001:db8::"+fmt.Sprint(i))
		if apperror.CodeOf(err) == apperror.Unauthenticated {
			refused++
		}
	}
	require.Equal(t, 20, refused)
	refused = 0
	for range 1000 {
		_, err := w.Token(t.Context(), auth.NewToken(), from)
		if apperror.CodeOf(err) == apperror.Unauthenticated {
			refused++
		}
	}
	require.Equal(t, 100, refused)
}

func TestTheRightPasswordUsesNoAttemptUp(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		_, _, err := w.LogIn(t.Context(), auth.Login{Name: "viewer", Password: password, Address: from}, auth.ForPages)
		require.NoError(t, err)
	}
	n, _ := w.Buckets()
	require.Zero(t, n)
}

func TestManyAddressesTakeBoundedMemory(t *testing.T) {
	w := newWorld(t)
	for i := range 45000 {
		_, err := w.Token(t.Context(), auth.NewToken(), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		require.Error(t, err)
	}
	n, most := w.Buckets()
	require.LessOrEqual(t, n, most)
	require.Zero(t, w.Entries(), "what is wrong is not kept")
}

func TestUnknownNamesTakeAsLongAsKnownOnes(t *testing.T) {
	w := newWorld(t)
	fastest := func(name string) time.Duration {
		least := time.Hour
		for range 5 {
			begin := time.Now()
			_, err := w.Password(t.Context(), name, "wrong password", from)
			require.Equal(t, apperror.Unauthenticated, apperror.CodeOf(err))
			least = min(least, time.Since(begin))
			w.pass(time.Hour)
		}
		return least
	}
	known := fastest("viewer")
	for _, name := range []string{"nobody", "not a name", strings.Repeat("x", 1<<16)} {
		unknown := fastest(name)
		require.Greater(t, unknown, known/3, name)
		require.Less(t, unknown, known*3, name)
	}
}

func TestARemovedUserIsGone(t *testing.T) {
	w := newWorld(t)
	cookie, _, err := w.LogIn(t.Context(), auth.Login{Name: "editor", Password: password, Address: from}, auth.ForPages)
	require.NoError(t, err)
	p, err := w.Password(t.Context(), "editor", password, from)
	w.requireRole(auth.Editor, p, err)
	require.NoError(t, w.store.RemoveUser(t.Context(), "editor"))
	w.Forget("editor")
	p, err = w.Password(t.Context(), "editor", password, from)
	w.requireCode(apperror.Unauthenticated, p, err)
	p, err = w.Session(t.Context(), cookie)
	w.requireCode(apperror.Unauthenticated, p, err)
}

func BenchmarkToken(b *testing.B) {
	store, err := authstore.Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "auth.db"), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer store.Close()
	_, err = store.AddUser(b.Context(), "ana", auth.Editor, "x")
	require.NoError(b, err)
	secret := auth.NewToken()
	_, err = store.AddToken(b.Context(), auth.Token{Owner: "ana", Name: "t", Role: auth.Editor}, auth.HashSecret(secret))
	require.NoError(b, err)
	a := auth.New(store, limits)
	defer a.Close()
	for b.Loop() {
		if _, err := a.Token(b.Context(), secret, from); err != nil {
			b.Fatal(err)
		}
	}
}
