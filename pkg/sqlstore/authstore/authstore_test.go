package authstore_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore/authstore"
	"tasador/pkg/testkit"
)

func open(t *testing.T, url string) *authstore.Store {
	t.Helper()
	s, err := authstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func requireCode(t *testing.T, code apperror.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, apperror.CodeOf(err), err.Error())
}

func TestStore(t *testing.T) {
	testkit.OnEach(t, migrations.Dialects("auth"), func(t *testing.T, url string) {
		s := open(t, url)
		require.NoError(t, s.Ping(t.Context()))
		for _, one := range []struct {
			name string
			test func(*testing.T, *authstore.Store)
		}{
			{"users come back as they were added", usersComeBack},
			{"an admin is always left", anAdminIsAlwaysLeft},
			{"tokens belong to one user", tokensBelongToOneUser},
			{"sessions end with what they stand on", sessionsEnd},
			{"sessions do not pile up", sessionsDoNotPileUp},
			{"hostile texts find nothing and break nothing", hostileTexts},
		} {
			t.Run(one.name, func(t *testing.T) {
				users, err := s.Users(t.Context())
				require.NoError(t, err)
				require.Empty(t, users)
				one.test(t, s)
				authstore.Empty(t, s)
			})
		}
	})
}

func add(t *testing.T, s *authstore.Store, name string, role auth.Role) {
	t.Helper()
	_, err := s.AddUser(t.Context(), name, role, "hash of "+name)
	require.NoError(t, err)
}

func usersComeBack(t *testing.T, s *authstore.Store) {
	before := time.Now().Add(-time.Second)
	has, err := s.HasAdmin(t.Context())
	require.NoError(t, err)
	require.False(t, has)
	add(t, s, "zoe", auth.Viewer)
	_, err = s.AddUser(t.Context(), "ÁNA", auth.Viewer, "x")
	requireCode(t, apperror.Invalid, err)
	add(t, s, "Ana@Example.org", auth.Admin)
	_, err = s.AddUser(t.Context(), "ana@example.ORG", auth.Viewer, "other")
	requireCode(t, apperror.AlreadyExists, err)
	_, err = s.AddUser(t.Context(), "bob", "root", "x")
	requireCode(t, apperror.Invalid, err)

	users, err := s.Users(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 2)
	require.Equal(t, "ana@example.org", users[0].Name)
	require.Equal(t, auth.Admin, users[0].Role)
	require.WithinRange(t, users[0].CreatedAt, before, time.Now().Add(time.Second))
	u, hash, err := s.UserByName(t.Context(), "ana@example.org")
	require.NoError(t, err)
	require.Equal(t, users[0], u)
	require.Equal(t, "hash of Ana@Example.org", hash)
	_, _, err = s.UserByName(t.Context(), "nobody")
	requireCode(t, apperror.NotFound, err)
	has, err = s.HasAdmin(t.Context())
	require.NoError(t, err)
	require.True(t, has)
	requireCode(t, apperror.NotFound, s.SetPassword(t.Context(), "nobody", "x", ""))
	requireCode(t, apperror.NotFound, s.SetRole(t.Context(), "nobody", auth.Viewer))
	requireCode(t, apperror.NotFound, s.RemoveUser(t.Context(), "nobody"))
}

func anAdminIsAlwaysLeft(t *testing.T, s *authstore.Store) {
	add(t, s, "one", auth.Admin)
	requireCode(t, apperror.FailedPrecondition, s.SetRole(t.Context(), "one", auth.Editor))
	requireCode(t, apperror.FailedPrecondition, s.RemoveUser(t.Context(), "one"))
	require.NoError(t, s.SetRole(t.Context(), "one", auth.Admin))
	add(t, s, "two", auth.Admin)
	// Of many who each take away the other's right, somebody keeps it.
	var wg sync.WaitGroup
	for range 4 {
		for _, name := range []string{"one", "two"} {
			wg.Go(func() { _ = s.SetRole(t.Context(), name, auth.Viewer) })
		}
	}
	wg.Wait()
	has, err := s.HasAdmin(t.Context())
	require.NoError(t, err)
	require.True(t, has)
}

func tokensBelongToOneUser(t *testing.T, s *authstore.Store) {
	add(t, s, "ana", auth.Admin)
	add(t, s, "bob", auth.Viewer)
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	secret := auth.NewToken()
	made, err := s.AddToken(t.Context(), auth.Token{Owner: "bob", Name: "nightly import", Role: auth.Admin, ExpiresAt: ends}, auth.HashSecret(secret))
	require.NoError(t, err)
	_, err = s.AddToken(t.Context(), auth.Token{Owner: "bob", Name: "nightly import", Role: auth.Viewer}, auth.HashSecret(auth.NewToken()))
	requireCode(t, apperror.AlreadyExists, err)
	_, err = s.AddToken(t.Context(), auth.Token{Owner: "nobody", Name: "x", Role: auth.Viewer}, auth.HashSecret(auth.NewToken()))
	requireCode(t, apperror.NotFound, err)
	_, err = s.AddToken(t.Context(), auth.Token{Owner: "bob", Name: "late", Role: auth.Viewer, ExpiresAt: time.Now().Add(-time.Second)}, "h")
	requireCode(t, apperror.Invalid, err)
	for _, name := range []string{"", " x", "x\n", "<b>", strings.Repeat("x", 65)} {
		_, err = s.AddToken(t.Context(), auth.Token{Owner: "bob", Name: name, Role: auth.Viewer}, "h")
		requireCode(t, apperror.Invalid, err)
	}

	found, owner, err := s.TokenByHash(t.Context(), auth.HashSecret(secret))
	require.NoError(t, err)
	require.Equal(t, made, found)
	require.Equal(t, ends, found.ExpiresAt)
	require.Equal(t, "bob", owner.Name)
	require.Equal(t, auth.Viewer, owner.Role)
	_, _, err = s.TokenByHash(t.Context(), secret)
	requireCode(t, apperror.NotFound, err) // only the hash is kept
	require.True(t, found.UsedAt.IsZero())
	require.NoError(t, s.TokenUsed(t.Context(), found.ID, ends))
	require.NoError(t, s.TokenUsed(t.Context(), found.ID, ends.Add(-time.Minute))) // of a server whose clock is late
	all, err := s.Tokens(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, ends, all[0].UsedAt)
	none, err := s.Tokens(t.Context(), "ana")
	require.NoError(t, err)
	require.Empty(t, none)

	requireCode(t, apperror.NotFound, s.RemoveToken(t.Context(), "ana", found.ID)) // an admin too has only tokens of her own
	require.NoError(t, s.RemoveToken(t.Context(), "bob", found.ID))
	_, _, err = s.TokenByHash(t.Context(), auth.HashSecret(secret))
	requireCode(t, apperror.NotFound, err)
	_, err = s.AddToken(t.Context(), auth.Token{Owner: "bob", Name: "again", Role: auth.Viewer}, auth.HashSecret(secret))
	require.NoError(t, err)
	require.NoError(t, s.RemoveUser(t.Context(), "bob"))
	_, _, err = s.TokenByHash(t.Context(), auth.HashSecret(secret))
	requireCode(t, apperror.NotFound, err)
}

func session(user, id string, life time.Duration) auth.Session {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return auth.Session{Hash: id, User: user, Kind: auth.ForPages, CreatedAt: now, ExpiresAt: now.Add(life), SeenAt: now, Address: "192.0.2.1", Agent: "a browser\x00"}
}

func sessionsEnd(t *testing.T, s *authstore.Store) {
	add(t, s, "ana", auth.Admin)
	add(t, s, "bob", auth.Editor)
	ids := func(user string) []string {
		list, err := s.Sessions(t.Context(), user)
		require.NoError(t, err)
		var ids []string
		for _, one := range list {
			ids = append(ids, one.Hash)
		}
		return ids
	}
	first := session("bob", "first", time.Hour)
	require.NoError(t, s.AddSession(t.Context(), first))
	found, user, err := s.SessionByHash(t.Context(), "first")
	require.NoError(t, err)
	first.Agent = "a browser\uFFFD"
	require.Equal(t, first, found)
	require.Equal(t, auth.Editor, user.Role)
	require.NoError(t, s.SessionSeen(t.Context(), "first", first.SeenAt.Add(time.Minute)))
	found, _, err = s.SessionByHash(t.Context(), "first")
	require.NoError(t, err)
	require.Equal(t, first.SeenAt.Add(time.Minute), found.SeenAt)
	requireCode(t, apperror.NotFound, s.AddSession(t.Context(), session("nobody", "x", time.Hour)))

	require.NoError(t, s.AddSession(t.Context(), session("bob", "ended", -time.Second)))
	require.NoError(t, s.AddSession(t.Context(), session("ana", "hers", time.Hour)))
	require.NoError(t, s.AddSession(t.Context(), session("bob", "second", time.Hour)))
	require.ElementsMatch(t, []string{"first", "second"}, ids("bob"))
	_, _, err = s.SessionByHash(t.Context(), "ended")
	requireCode(t, apperror.NotFound, err) // a later login has taken it away

	require.NoError(t, s.SetPassword(t.Context(), "bob", "new", "second"))
	require.Equal(t, []string{"second"}, ids("bob"), "a new password ends all logins but the one that it was set in")
	require.NoError(t, s.RemoveSession(t.Context(), "second"))
	requireCode(t, apperror.NotFound, s.RemoveSession(t.Context(), "second"))
	require.NoError(t, s.AddSession(t.Context(), session("bob", "third", time.Hour)))
	n, err := s.RemoveSessions(t.Context(), "bob", "")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, s.AddSession(t.Context(), session("bob", "fourth", time.Hour)))
	require.NoError(t, s.RemoveUser(t.Context(), "bob"))
	_, _, err = s.SessionByHash(t.Context(), "fourth")
	requireCode(t, apperror.NotFound, err)
	require.Equal(t, []string{"hers"}, ids("ana"))
}

func sessionsDoNotPileUp(t *testing.T, s *authstore.Store) {
	add(t, s, "ana", auth.Admin)
	for i := range 1005 {
		one := session("ana", fmt.Sprint("s", i), time.Hour)
		one.CreatedAt = one.CreatedAt.Add(time.Duration(i) * time.Millisecond)
		require.NoError(t, s.AddSession(t.Context(), one))
	}
	list, err := s.Sessions(t.Context(), "ana")
	require.NoError(t, err)
	require.Len(t, list, 1000)
	require.Equal(t, "s1004", list[0].Hash)
}

func hostileTexts(t *testing.T, s *authstore.Store) {
	add(t, s, "ana", auth.Admin)
	for _, name := range []string{"' OR '1'='1", "ana' --", "ana;DROP TABLE auth_user", "ana\x00", "\xff", "", "%", strings.Repeat("a", 1<<20)} {
		_, err := s.AddUser(t.Context(), name, auth.Admin, "x")
		requireCode(t, apperror.Invalid, err)
		_, _, err = s.UserByName(t.Context(), name)
		requireCode(t, apperror.NotFound, err)
		requireCode(t, apperror.NotFound, s.SetRole(t.Context(), name, auth.Admin))
		requireCode(t, apperror.NotFound, s.RemoveUser(t.Context(), name))
		tokens, err := s.Tokens(t.Context(), name)
		require.NoError(t, err)
		require.Empty(t, tokens)
		sessions, err := s.Sessions(t.Context(), name)
		require.NoError(t, err)
		require.Empty(t, sessions)
		_, err = s.AddToken(t.Context(), auth.Token{Owner: name, Name: "x", Role: auth.Viewer}, "h")
		requireCode(t, apperror.NotFound, err)
	}
	users, err := s.Users(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 1)
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "auth.db")
	open(t, "sqlite:"+path)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path+suffix)
	}
}

func TestUsersAreNotKeptInMySQL(t *testing.T) {
	_, err := authstore.Open(t.Context(), "mysql://root@127.0.0.1:1/x", slog.New(slog.DiscardHandler))
	requireCode(t, apperror.Invalid, err)
	require.ErrorContains(t, err, "one of postgres, sqlite")
}
