package authstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Empty removes all users, which the store itself never does.
func Empty(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.db.Exec("DELETE FROM auth_user").Error)
}
