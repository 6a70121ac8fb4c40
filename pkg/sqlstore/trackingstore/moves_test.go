package trackingstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// withVersions makes a model with some versions.
func withVersions(t *testing.T, store *trackingstore.Store, name string, versions int) {
	t.Helper()
	_, err := store.CreateModel(t.Context(), name, "", nil)
	require.NoError(t, err)
	for range versions {
		_, err := store.CreateVersion(t.Context(), registry.NewVersion{Name: name, Source: "s3://bucket/model"})
		require.NoError(t, err)
	}
}

// trail returns the audit trail of a model as short texts, the oldest first.
func trail(t *testing.T, store *trackingstore.Store, name string, q trackingstore.MoveQuery) (texts []string) {
	t.Helper()
	q.Limit = 100
	moves, more, err := store.Moves(t.Context(), name, q)
	require.NoError(t, err)
	require.False(t, more)
	for i := len(moves) - 1; i >= 0; i-- {
		m := moves[i]
		require.Positive(t, m.At)
		texts = append(texts, fmt.Sprintf("%s %s%s: %s>%s by %s", m.Matter, m.Version, m.Alias, m.From, m.To, m.By.User))
	}
	return texts
}

func TestEveryMoveIsInTheTrail(t *testing.T) { onEach(t, testEveryMoveIsInTheTrail) }

func testEveryMoveIsInTheTrail(t *testing.T, store *trackingstore.Store) {
	withVersions(t, store, "m", 3)
	as := func(user string) context.Context {
		return registry.WithActor(t.Context(), registry.Actor{Via: registry.ViaAPI, User: user})
	}
	move := func(user, version string, to registry.Stage, archive bool) {
		_, err := store.TransitionStage(as(user), "m", version, to, archive)
		require.NoError(t, err)
	}
	move("ana", "1", registry.Production, true)
	move("ana", "2", registry.Production, false)
	move("bob", "3", "production", true)
	move("bob", "3", registry.Production, true) // nothing moves
	require.NoError(t, store.SetAlias(as("eva"), "m", "champion", "1"))
	require.NoError(t, store.SetAlias(as("eva"), "m", "champion", "1"))
	require.NoError(t, store.SetAlias(as("eva"), "m", "champion", "3"))
	require.NoError(t, store.DeleteAlias(as("eva"), "m", "champion"))
	require.NoError(t, store.DeleteAlias(as("eva"), "m", "champion"))
	require.NoError(t, store.SetAlias(as("eva"), "m", "last", "3"))
	require.NoError(t, store.DeleteVersion(as("zoe"), "m", "3"))
	want := []string{
		"stage 1: None>Production by ana",
		"stage 2: None>Production by ana",
		"stage 1: Production>Archived by bob", "stage 2: Production>Archived by bob", "stage 3: None>Production by bob",
		"alias champion: >1 by eva", "alias champion: 1>3 by eva", "alias champion: 3> by eva", "alias last: >3 by eva",
		"alias last: 3> by zoe", "stage 3: Production> by zoe",
	}
	require.Equal(t, want, trail(t, store, "m", trackingstore.MoveQuery{}))
	require.Equal(t, []string{want[0], want[1], want[2], want[3], want[4], want[10]}, trail(t, store, "m", trackingstore.MoveQuery{Stage: registry.Production}))

	// The trail follows the model to its new name, and outlives it.
	_, err := store.RenameModel(as("zoe"), "m", "n")
	require.NoError(t, err)
	require.NoError(t, store.SetAlias(as("zoe"), "n", "first", "1"))
	require.NoError(t, store.DeleteModel(as("zoe"), "n"))
	withVersions(t, store, "n", 1)
	want = append(want, "name : m>n by zoe", "alias first: >1 by zoe", "alias first: 1> by zoe", "stage 1: Archived> by zoe", "stage 2: Archived> by zoe", "name : n> by zoe")
	require.Equal(t, want, trail(t, store, "n", trackingstore.MoveQuery{}))
	withVersions(t, store, "m", 1)
	require.Empty(t, trail(t, store, "m", trackingstore.MoveQuery{}), "another model now has the old name")
}

func TestTheTrailHasPages(t *testing.T) { onEach(t, testTheTrailHasPages) }

func testTheTrailHasPages(t *testing.T, store *trackingstore.Store) {
	withVersions(t, store, "m", 1)
	for _, stage := range []registry.Stage{registry.Staging, registry.Production, registry.Archived} {
		_, err := store.TransitionStage(t.Context(), "m", "1", stage, false)
		require.NoError(t, err)
	}
	newest, more, err := store.Moves(t.Context(), "m", trackingstore.MoveQuery{Limit: 2})
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []string{"Archived", "Production"}, []string{newest[0].To, newest[1].To})
	rest, more, err := store.Moves(t.Context(), "m", trackingstore.MoveQuery{Limit: 2, Before: newest[1].ID})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, rest, 1)
	require.Equal(t, "Staging", rest[0].To)
}

// TestNothingMovesUnlessAgreed: who does not agree with what would move changes nothing, not even the trail.
func TestNothingMovesUnlessAgreed(t *testing.T) { onEach(t, testNothingMovesUnlessAgreed) }

func testNothingMovesUnlessAgreed(t *testing.T, store *trackingstore.Store) {
	withVersions(t, store, "m", 2)
	_, err := store.TransitionStage(t.Context(), "m", "1", registry.Production, true)
	require.NoError(t, err)
	before := trail(t, store, "m", trackingstore.MoveQuery{})
	var seen []registry.Move
	errNo := errors.New("no")
	refuse := func(moves []registry.Move) error {
		seen = moves
		return errNo
	}
	_, err = store.MoveStage(t.Context(), "m", "2", registry.Production, true, refuse)
	require.ErrorIs(t, err, errNo)
	require.Equal(t, []registry.Move{
		{Matter: registry.StageMatter, Version: "1", From: "Production", To: "Archived"}, {Matter: registry.StageMatter, Version: "2", From: "None", To: "Production"},
	}, seen)
	require.ErrorIs(t, store.MoveAlias(t.Context(), "m", "champion", "2", refuse), errNo)
	require.Equal(t, []registry.Move{{Matter: registry.AliasMatter, Alias: "champion", To: "2"}}, seen)
	require.Equal(t, before, trail(t, store, "m", trackingstore.MoveQuery{}))
	v, err := store.Version(t.Context(), "m", "2")
	require.NoError(t, err)
	require.Equal(t, registry.None, v.Stage)
	require.Empty(t, v.Aliases)
}
