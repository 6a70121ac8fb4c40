package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/audit"
)

// TestTheNewestComeFirst pages through a log of several files, some of whose lines are out of order, as old as each other, longer than a block, or cut off.
func TestTheNewestComeFirst(t *testing.T) {
	folder := t.TempDir()
	small := func(o *audit.Options) { o.FileSize, o.Files = 50<<10, 100 }
	l := open(t, folder, small)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const lines, page = 5000, 170
	object := map[string]string{"a": strings.Repeat("x", 400)}
	for i := range 20 {
		object[fmt.Sprint(i)] = strings.Repeat("y", 490)
	}
	for i := range lines {
		at := start.Add(time.Duration(i/3) * 10 * time.Millisecond) // three at each instant
		if i%7 == 0 {
			at = at.Add(-500 * time.Millisecond)
		}
		e := audit.Entry{Time: at, User: fmt.Sprint("<user>", i%2), Action: fmt.Sprint(i), Outcome: audit.Outcomes()[i%3]}
		if i%500 == 0 {
			e.Object = object
		}
		l.Record(e, false)
		if i%500 == 499 { // what waits goes into one file
			require.NoError(t, l.Close())
			l = open(t, folder, small)
		}
	}
	require.NoError(t, l.Close())
	file, err := os.OpenFile(filepath.Join(folder, "audit.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"time":"2026-01`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	old, err := filepath.Glob(filepath.Join(folder, "audit-*"))
	require.NoError(t, err)
	require.Greater(t, len(old), 5)

	for _, filter := range []audit.Filter{{}, {User: "<user>1"}, {Outcome: audit.Failed}, {User: "<user>0", Outcome: audit.Refused, Since: start.Add(4 * time.Second)}, {User: "nobody"}} {
		seen := map[string]bool{}
		want := len(read(t, folder, filter))
		for asked := filter; ; {
			entries, err := l.Newest(t.Context(), asked, page)
			require.NoError(t, err)
			for i, e := range entries {
				require.False(t, seen[e.Action], "%s came twice", e.Action)
				seen[e.Action] = true
				require.True(t, i == 0 || !e.Time.After(entries[i-1].Time))
			}
			if len(entries) < page {
				break
			}
			asked.Before = entries[len(entries)-1].Time
		}
		require.Len(t, seen, want, "%+v", filter)
	}
}

func TestNoLogHasNoEntries(t *testing.T) {
	var none *audit.Log
	entries, err := none.Newest(t.Context(), audit.Filter{}, 10)
	require.NoError(t, err)
	require.Empty(t, entries)
	l := open(t, t.TempDir(), nil)
	entries, err = l.Newest(t.Context(), audit.Filter{}, 10)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoError(t, l.Close())
}
