package upgrade_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/sqlstore/authstore"
)

func checkUsers(t *testing.T, d *database) {
	store, err := authstore.Open(t.Context(), d.url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	user, password, err := store.UserByName(t.Context(), "ana")
	require.NoError(t, err)
	require.Equal(t, auth.Role("admin"), user.Role)
	require.Contains(t, password, "$argon2id$")
	token, owner, err := store.TokenByHash(t.Context(), "h1")
	require.NoError(t, err)
	require.Equal(t, "nightly", token.Name)
	require.Equal(t, "ana", owner.Name)
	session, owner, err := store.SessionByHash(t.Context(), "h2")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", session.Address)
	require.Equal(t, "ana", owner.Name)
}
