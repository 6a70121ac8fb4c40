package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/audit"
)

func open(t *testing.T, folder string, change func(*audit.Options)) *audit.Log {
	t.Helper()
	opt := audit.Options{Folder: folder, FileSize: 1 << 20, Files: 5}
	if change != nil {
		change(&opt)
	}
	l, err := audit.Open(opt, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return l
}

func read(t *testing.T, folder string, filter audit.Filter) []audit.Entry {
	t.Helper()
	var all []audit.Entry
	require.NoError(t, audit.Read(t.Context(), folder, filter, false, func(e audit.Entry) error {
		all = append(all, e)
		return nil
	}))
	return all
}

func TestLinesAreThereSoonAndInOrder(t *testing.T) {
	folder := t.TempDir()
	l := open(t, folder, nil)
	const lines = 500
	for i := range lines {
		l.Record(audit.Entry{User: fmt.Sprint("user", i%2), Action: "/x", Object: map[string]string{"n": fmt.Sprint(i)}, Outcome: audit.Done, Status: 200}, false)
	}
	require.Eventually(t, func() bool { return len(read(t, folder, audit.Filter{})) == lines }, time.Minute, 10*time.Millisecond)
	mine := read(t, folder, audit.Filter{User: "user1"})
	require.Len(t, mine, lines/2)
	for i, e := range mine {
		require.Equal(t, fmt.Sprint(2*i+1), e.Object["n"])
	}
	require.Empty(t, read(t, folder, audit.Filter{Since: time.Now().Add(time.Hour)}))
	require.NoError(t, l.Close())
	l.Record(audit.Entry{}, false) // after its end nothing happens
	require.Len(t, read(t, folder, audit.Filter{}), lines)
}

func TestCallsThatAreAlikeAreCounted(t *testing.T) {
	folder := t.TempDir()
	l := open(t, folder, nil)
	entry := func(user, run string) audit.Entry {
		return audit.Entry{User: user, Action: "/runs/log-metric", Object: map[string]string{"run_id": run}, Outcome: audit.Done, Status: 200}
	}
	for range 1000 {
		l.Record(entry("ana", "one"), true)
		l.Record(entry("ana", "two"), true)
		l.Record(entry("bob", "one"), true)
	}
	require.Eventually(t, func() bool { return len(read(t, folder, audit.Filter{})) == 3 }, time.Minute, 10*time.Millisecond, "the first of each at once")
	require.NoError(t, l.Close())
	all := read(t, folder, audit.Filter{})
	require.Len(t, all, 6)
	counts := map[string]int{}
	for _, e := range all {
		counts[e.User+e.Object["run_id"]] += max(e.Count, 1)
	}
	require.Equal(t, map[string]int{"anaone": 1000, "anatwo": 1000, "bobone": 1000}, counts)
}

func TestFilesAreOfABoundedSizeAndNumberAlsoWithSeveralWriters(t *testing.T) {
	folder := t.TempDir()
	small := func(o *audit.Options) { o.FileSize, o.Files = 10_000, 3 }
	var writers sync.WaitGroup
	for w := range 3 {
		l := open(t, folder, small)
		writers.Go(func() {
			for i := range 200 {
				l.Record(audit.Entry{User: fmt.Sprint(w), Action: strings.Repeat("x", 300), Object: map[string]string{"n": fmt.Sprint(i)}}, false)
			}
			require.NoError(t, l.Close())
		})
	}
	writers.Wait()
	files, err := filepath.Glob(filepath.Join(folder, "audit*.jsonl"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 3)
	for _, path := range files {
		f, err := os.Open(path)
		require.NoError(t, err)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			require.True(t, strings.HasPrefix(lines.Text(), `{"time":`) && strings.HasSuffix(lines.Text(), "}"), "no line is torn: %s", lines.Text())
		}
		require.NoError(t, f.Close())
	}
}

func TestFollowingGoesOnThroughNewFiles(t *testing.T) {
	folder := t.TempDir()
	l := open(t, folder, func(o *audit.Options) { o.FileSize, o.Files = 2000, 100 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var seen []string
	ended := make(chan error, 1)
	go func() {
		ended <- audit.Read(ctx, folder, audit.Filter{}, true, func(e audit.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e.Object["n"])
			return nil
		})
	}()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
	var want []string
	for round := range 10 {
		for i := range 10 {
			n := fmt.Sprint(round*10 + i)
			want = append(want, n)
			l.Record(audit.Entry{Action: strings.Repeat("x", 100), Object: map[string]string{"n": n}}, false)
		}
		if round%2 == 0 {
			require.Eventually(t, func() bool { return count() == len(want) }, time.Minute, 5*time.Millisecond)
		}
	}
	require.Eventually(t, func() bool { return count() == len(want) }, time.Minute, 5*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, l.Close())
	require.Equal(t, want, seen)
	files, err := filepath.Glob(filepath.Join(folder, "audit-*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
}

func TestALineThatACrashCutOffIsPassedOver(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "audit.jsonl"), []byte(`{"time":"2026-01-01T00:00:00Z","action":"whole"}`+"\n"+`{"time":"2026-01-0`), 0o600))
	l := open(t, folder, nil)
	l.Record(audit.Entry{Action: "next"}, false)
	require.NoError(t, l.Close())
	all := read(t, folder, audit.Filter{})
	require.Len(t, all, 2)
	require.Equal(t, "next", all[1].Action)
}

func TestWhatClientsChooseIsBounded(t *testing.T) {
	folder := t.TempDir()
	l := open(t, folder, nil)
	l.Record(audit.Entry{User: strings.Repeat("ñ", 10_000), Agent: "a\nb\x1b[31m", Object: map[string]string{"name": strings.Repeat("x", 1<<20)}}, false)
	require.NoError(t, l.Close())
	content, err := os.ReadFile(filepath.Join(folder, "audit.jsonl"))
	require.NoError(t, err)
	require.Less(t, len(content), 2000)
	require.Equal(t, 1, strings.Count(string(content), "\n"), "what is in a line cannot make another")
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := audit.Open(audit.Options{Folder: file, FileSize: 1, Files: 1}, nil)
	require.ErrorContains(t, err, "the audit log in "+file+" cannot be written")
	err = audit.Read(t.Context(), file+"2", audit.Filter{}, false, nil)
	require.ErrorContains(t, err, "there is no audit log in")
	stop := errors.New("enough")
	folder := t.TempDir()
	l := open(t, folder, nil)
	l.Record(audit.Entry{Action: "x"}, false)
	require.NoError(t, l.Close())
	require.ErrorIs(t, audit.Read(t.Context(), folder, audit.Filter{}, false, func(audit.Entry) error { return stop }), stop)
}

func TestLinesWaitWhileNothingCanBeWritten(t *testing.T) {
	folder := t.TempDir()
	l := open(t, folder, nil)
	path := filepath.Join(folder, "audit.jsonl")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o750)) // as a full disk, writing fails
	l.Record(audit.Entry{Action: "first"}, false)
	require.Eventually(t, func() bool { return l.Problem() != nil }, time.Minute, 5*time.Millisecond)
	l.Record(audit.Entry{Action: "second"}, false)
	require.NoError(t, os.Remove(path))
	require.Eventually(t, func() bool { return l.Problem() == nil }, time.Minute, 5*time.Millisecond)
	require.NoError(t, l.Close())
	all := read(t, folder, audit.Filter{})
	require.Len(t, all, 2)
	require.Equal(t, []string{"first", "second"}, []string{all[0].Action, all[1].Action})
	require.Zero(t, l.Lost())
}
