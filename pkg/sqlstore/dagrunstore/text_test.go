package dagrunstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// bad are texts that PostgreSQL does not take; SQLite does, and must not be told apart by it.
var bad = []string{"a\x00b", "a\xffb", "\xed\xa0\x80"}

func textsThatNoDatabaseTakes(t *testing.T, s *dagrunstore.Store) {
	p, ctx := chain(t), t.Context()
	for _, text := range bad {
		for _, n := range []dagrunstore.NewRun{{ID: text}, {Conf: `{"a":"` + text + `"}`}, {Note: text}, {TriggeredBy: text}} {
			n.Type = dag.Manual
			_, err := s.Trigger(ctx, p, n, now)
			require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%q: %v", text, err)
		}
		_, err := s.Run(ctx, "d", text)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%v", err)
		_, err = s.Clear(ctx, "d", text, []string{"first"}, nil, true, now)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%v", err)
		runs, _, err := s.Runs(ctx, dagrunstore.RunQuery{States: []string{text}, Types: []string{text}})
		require.NoError(t, err)
		require.Empty(t, runs)
	}
	c := claim(t, s, running(t, s, p, "r"), now)
	for _, text := range bad {
		_, err := s.Instance(ctx, "d", "r", text)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%v", err)
		_, err = s.XComOf(ctx, c.Run.Key, "first", text)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "%v", err)
		cleared, err := s.Clear(ctx, "d", "r", []string{text}, nil, true, now)
		require.NoError(t, err)
		require.Empty(t, cleared)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.PushXCom(ctx, c, text, json.RawMessage("1"), now)))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.PushXCom(ctx, c, "k", json.RawMessage(`"`+text+`"`), now)))
	}
	require.NoError(t, s.PushXCom(ctx, c, "k", json.RawMessage(`"a\u0000b"`), now), "escaped it is a text like any other")
	x, err := s.XComOf(ctx, c.Run.Key, "first", "k")
	require.NoError(t, err)
	require.Equal(t, `"a\u0000b"`, string(x.Value))

	// What tasks say is kept, with the replacement character in the place of what cannot be.
	require.NoError(t, s.AppendLog(ctx, c.Instance, 1, dagrunstore.LogLine{At: now, Level: "INFO", Message: "a\x00b\xffc", Attributes: json.RawMessage(`{"a":"` + "\xff" + `"}`)}))
	require.NoError(t, s.AppendLog(ctx, c.Instance, 1, dagrunstore.LogLine{At: now, Level: "INFO", Message: strings.Repeat("ñ", 1<<16) + "x"}))
	require.NoError(t, s.AppendLog(ctx, c.Instance, 1, dagrunstore.LogLine{At: now, Level: "INFO", Message: "x" + strings.Repeat("ñ", 1<<16)}))
	lines, err := s.Log(ctx, c.Instance, 1, 0, 10)
	require.NoError(t, err)
	require.Equal(t, "a\uFFFDb\uFFFDc", lines[0].Message)
	require.JSONEq(t, "{\"a\":\"\uFFFD\"}", string(lines[0].Attributes))
	for _, l := range lines {
		require.True(t, utf8.ValidString(l.Message), "a line is cut between characters")
	}
	_, _, ok, err := s.Finish(ctx, p, c, dagrunstore.Outcome{Err: errors.New("the source said \x00\xff")}, now)
	require.NoError(t, err)
	require.True(t, ok)
	tries, err := s.Tries(ctx, c.Instance)
	require.NoError(t, err)
	require.Equal(t, "the source said \uFFFD\uFFFD", tries[0].Error)
}

// textsCompareByBytes: ids that only a locale takes for equal, or orders in another way, are told apart and ordered by code points.
func textsCompareByBytes(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	ids := []string{"A", "B", "a", "ae", "b", "ä"}
	for i, id := range ids {
		_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: id, Type: dag.Manual, LogicalDate: now.AddDate(0, 0, (i*5)%6)}, now)
		require.NoError(t, err)
	}
	runs, _, err := s.Runs(t.Context(), dagrunstore.RunQuery{Order: []dagrunstore.RunOrder{{Field: "dag_run_id"}}})
	require.NoError(t, err)
	var got []string
	for _, r := range runs {
		got = append(got, r.ID)
	}
	require.Equal(t, ids, got)
	_, err = s.Run(t.Context(), "d", "AE")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
}
