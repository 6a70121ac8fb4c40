package auth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
)

func TestEachRoleHasTheRightsOfThoseBeforeIt(t *testing.T) {
	rights := map[auth.Role][]auth.Right{
		"":          {auth.Public},
		"root":      {auth.Public},
		auth.Viewer: {auth.Public, auth.Read},
		auth.Editor: {auth.Public, auth.Read, auth.Write},
		auth.Admin:  {auth.Public, auth.Read, auth.Write, auth.Administer},
	}
	for role, has := range rights {
		for _, right := range []auth.Right{auth.Public, auth.Read, auth.Write, auth.Administer} {
			require.Equal(t, contains(has, right), role.May(right), "%s %s", role, right)
		}
		require.False(t, role.May(""), "a right that is none is nobody's")
	}
	require.Equal(t, auth.Viewer, auth.Admin.AtMost(auth.Viewer))
	require.Equal(t, auth.Viewer, auth.Viewer.AtMost(auth.Admin))
	require.Equal(t, auth.Role("root"), auth.Admin.AtMost("root"), "a role that is none has no rights")
}

func contains(list []auth.Right, r auth.Right) bool {
	for _, one := range list {
		if one == r {
			return true
		}
	}
	return false
}

func TestAPasswordMatchesItsHashAlone(t *testing.T) {
	hash := auth.HashPassword("correct horse battery")
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	require.NotEqual(t, hash, auth.HashPassword("correct horse battery"), "each has its salt")
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterx": false, "": false, "correct horse battery\x00": false} {
		got, err := auth.Matches(hash, password)
		require.NoError(t, err)
		require.Equal(t, want, got, password)
	}
	// Another implementation's, with other parameters.
	got, err := auth.Matches("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password")
	require.NoError(t, err)
	require.True(t, got)
}

func TestAHashThatSomebodyHasChangedMatchesNothing(t *testing.T) {
	for _, hash := range []string{
		"", "x", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=19456,t=2,p=1$$CTFh", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFh",
		"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$CTFh", "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFh",
		"$argon2id$v=19$m=19456,t=4294967295,p=1$c29tZXNhbHQ$CTFh", "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFh", "$argon2id$v=19$m=19456,t=1,p=0$c29tZXNhbHQ$CTFh",
		"$argon2id$v=19$m=-1,t=1,p=1$c29tZXNhbHQ$CTFh", "$argon2id$v=19$m=19456,t=1,p=1$!!$CTFh",
	} {
		got, err := auth.Matches(hash, "")
		require.Error(t, err, hash)
		require.False(t, got)
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	for password, says := range map[string]string{
		"": "too short", "elevenchars": "too short", "ñññññññññññ": "too short", strings.Repeat("x", 1025): "too long", "Administrator": "name", "\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe": "UTF-8",
	} {
		err := auth.CheckPassword("administrator", password)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), password)
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, auth.CheckPassword("ana", "twelve chars"))
	require.NoError(t, auth.CheckPassword("ana", "ñandú ñandú!"))
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{"ana": "ana", "Ana": "ana", "a": "a", "7": "7", "ana.b-c_d@e.org": "ana.b-c_d@e.org", strings.Repeat("a", 64): strings.Repeat("a", 64)} {
		got, err := auth.ParseName(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", " ana", "ana ", "a b", "ana:x", ".ana", "-ana", "ñandú", "ana\n", "ana\x00", "' OR 1=1 --", "<b>", "İ", strings.Repeat("a", 65)} {
		_, err := auth.ParseName(name)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), name)
	}
}

func TestTokensAreLongAndDifferent(t *testing.T) {
	require.Regexp(t, `^tsd_[A-Za-z0-9_-]{43}$`, auth.NewToken())
	require.NotEqual(t, auth.NewToken(), auth.NewToken())
	require.Regexp(t, `^[0-9a-f]{64}$`, auth.HashSecret("x"))
}

func TestWhatCountsOfAnAddress(t *testing.T) {
	require.Equal(t, "192.0.2.7", auth.NetworkOf("192.0.2.7"))
	require.Equal(t, "192.0.2.7", auth.NetworkOf("::ffff:192.0.2.7"))
	require.Equal(t, "2001:db8:1:2::/64", auth.NetworkOf("2001:db8:1:2:3:4:5:6"))
	require.Equal(t, auth.NetworkOf("fe80::1%eth0"), auth.NetworkOf("fe80::2%eth1"))
	require.Equal(t, "@", auth.NetworkOf("@"))
}
