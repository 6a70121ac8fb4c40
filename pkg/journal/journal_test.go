package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

// log is what a journal tells; safe for concurrent use.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func open(t testing.TB, dir string, segmentBytes int64) (*journal.Journal, *logText) {
	t.Helper()
	log := &logText{}
	j, err := journal.Open(journal.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil)), SegmentBytes: segmentBytes})
	require.NoError(t, err)
	return j, log
}

// table is a sink with a unique key, as a database is one.
type table struct {
	mu      sync.Mutex
	rows    map[string]string // name of an entry → payload
	order   []string
	batches int
	again   int // entries that it had
	down    error
	refuse  string // payload that it never takes
	stored  chan struct{}
}

func newTable() *table { return &table{rows: map[string]string{}, stored: make(chan struct{}, 1)} }

func (s *table) Store(_ context.Context, entries []journal.Entry) (refused []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return nil, s.down
	}
	s.batches++
	for i, e := range entries {
		key := fmt.Sprint(e.Segment, "/", e.Sequence)
		if _, ok := s.rows[key]; ok {
			s.again++
			continue
		}
		if s.refuse != "" && string(e.Payload) == s.refuse {
			refused = append(refused, i)
			continue
		}
		s.rows[key] = string(e.Payload)
		s.order = append(s.order, string(e.Payload))
	}
	select {
	case s.stored <- struct{}{}:
	default:
	}
	return refused, nil
}

func (s *table) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

func (s *table) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.order...)
}

// ship ships until stop is called, which ships what is left.
func ship(j *journal.Journal, sink journal.Sink) (s *journal.Shipper, stop func()) {
	s = journal.NewShipper(j, sink)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, func() {}) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			panic(err)
		}
	}
}

// all opens a journal that nobody has open, ships all of it and returns what was shipped.
func all(t testing.TB, dir string) []string {
	t.Helper()
	j, _ := open(t, dir, 0)
	rows := newTable()
	_, stop := ship(j, rows)
	stop()
	require.Zero(t, j.Backlog().Entries)
	require.NoError(t, j.Close())
	return rows.got()
}

func numbered(from, to int) (texts []string) {
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprint("entry ", i))
	}
	return texts
}

func appendAll(t testing.TB, j *journal.Journal, texts []string) {
	t.Helper()
	for _, text := range texts {
		require.NoError(t, j.Append(at, []byte(text)))
	}
}

func files(t testing.TB, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	return found
}

func TestWhatWasAppendedIsShippedInOrderAndOnce(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 1000) // many segments
	appendAll(t, j, numbered(0, 700))
	b := j.Backlog()
	require.EqualValues(t, 700, b.Entries)
	require.Equal(t, at, b.Oldest)
	require.Greater(t, len(files(t, dir, "*.journal")), 10)
	rows := newTable()
	_, stop := ship(j, rows)
	appendAll(t, j, numbered(700, 1000))
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, numbered(0, 1000), rows.got())
	require.Zero(t, rows.again)
	require.Equal(t, journal.Backlog{}, j.Backlog())
	require.LessOrEqual(t, len(files(t, dir, "*.journal")), 1, "segments go once they are shipped")
	require.Empty(t, all(t, dir))
	require.Empty(t, files(t, dir, "*.journal"))
}

func TestConcurrentAppendsAreAllKept(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 10_000)
	rows := newTable()
	_, stop := ship(j, rows)
	var wg sync.WaitGroup
	for line := range 16 {
		wg.Go(func() {
			for i := range 200 {
				if err := j.Append(at, fmt.Appendf(nil, "%d/%d", line, i)); err != nil {
					panic(err)
				}
				j.Backlog()
			}
		})
	}
	wg.Wait()
	stop()
	require.NoError(t, j.Close())
	next := map[int]int{}
	for _, text := range rows.got() {
		var line, i int
		_, err := fmt.Sscanf(text, "%d/%d", &line, &i)
		require.NoError(t, err)
		require.Equal(t, next[line], i, "who appends one after the other is shipped in that order")
		next[line]++
	}
	require.Len(t, rows.got(), 16*200)
}

// TestASinkThatIsAwayLosesNothing also restarts the journal meanwhile.
func TestASinkThatIsAwayLosesNothing(t *testing.T) {
	dir := t.TempDir()
	rows := newTable()
	rows.setDown(errors.New("away"))
	j, log := open(t, dir, 2000)
	s, stop := ship(j, rows)
	appendAll(t, j, numbered(0, 300))
	require.Eventually(t, func() bool { return s.Err() != nil && s.Failures() > 1 }, time.Minute, time.Millisecond)
	stop()
	require.NoError(t, j.Close())
	require.Contains(t, log.String(), "not shipped yet")

	j, log = open(t, dir, 2000)
	require.EqualValues(t, 300, j.Backlog().Entries)
	s, stop = ship(j, rows)
	appendAll(t, j, numbered(300, 400))
	require.Eventually(t, func() bool { return s.Err() != nil }, time.Minute, time.Millisecond)
	rows.setDown(nil)
	require.Eventually(t, func() bool { return j.Backlog().Entries == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Err())
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, numbered(0, 400), rows.got())
	require.Contains(t, log.String(), "shipped again")
}

// TestATornEndIsCutOff leaves what a crash may leave behind the last entry.
func TestATornEndIsCutOff(t *testing.T) {
	whole := func(payload string) []byte { return journal.EntryBytes(at, []byte(payload)) }
	broken := whole("broken")
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		tail []byte
		kept bool
	}{
		"nothing": {nil, false}, "one byte": {[]byte{7}, true}, "half a head": {whole("x")[:9], true}, "half a payload": {whole("long enough")[:20], true},
		"a wrong checksum": {broken, true}, "zeros": {make([]byte, 5000), false}, "a length beyond all": {bytes.Repeat([]byte{0xff}, 100), true},
		"a whole one behind a hole": {append(make([]byte, 100), whole("lost")...), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j, _ := open(t, dir, 0)
			appendAll(t, j, numbered(0, 3))
			require.NoError(t, j.Close())
			segment := files(t, dir, "*.journal")[0]
			before, err := os.ReadFile(segment)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(segment, append(bytes.Clone(before), c.tail...), 0o600))

			j, log := open(t, dir, 0)
			after, err := os.ReadFile(segment)
			require.NoError(t, err)
			require.Equal(t, before, after)
			require.Equal(t, len(c.tail) > 0, bytes.Contains([]byte(log.String()), []byte("is not whole, as after a crash")))
			require.Len(t, files(t, dir, "*.torn"), map[bool]int{true: 1}[c.kept])
			appendAll(t, j, numbered(3, 6))
			require.NoError(t, j.Close())
			require.Equal(t, numbered(0, 6), all(t, dir))
		})
	}
}

func TestASegmentThatWasOnlyBegunIsRemoved(t *testing.T) {
	for name, content := range map[string][]byte{"empty": nil, "half a header": []byte("tasad"), "zeros": make([]byte, 4096)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000000000007.journal"), content, 0o600))
			j, _ := open(t, dir, 0)
			require.Empty(t, files(t, dir, "*"))
			appendAll(t, j, numbered(0, 1))
			require.NoError(t, j.Close())
			require.Equal(t, []string{filepath.Join(dir, "0000000000000008.journal")}, files(t, dir, "*.journal"))
		})
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000000000007.journal"), bytes.Repeat([]byte("of another program"), 10), 0o600))
	j, log := open(t, dir, 0)
	require.NoError(t, j.Close())
	require.Len(t, files(t, dir, "*.unreadable"), 1)
	require.Contains(t, log.String(), "put aside")
}

// TestAKillAnywhereInShippingDoublesNothing takes copies of the folder as a kill would leave it, and ships each to the table that had the batch.
func TestAKillAnywhereInShippingDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 1000)
	appendAll(t, j, numbered(0, 300))
	rows := newTable()
	copies := []string{}
	_, stop := ship(j, sinkFunc(func(ctx context.Context, entries []journal.Entry) ([]int, error) {
		refused, err := rows.Store(ctx, entries)
		left := t.TempDir() // the batch is kept, the journal does not know
		copies = append(copies, left)
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			panic(err)
		}
		return refused, err
	}))
	stop()
	require.NoError(t, j.Close())
	require.Greater(t, len(copies), 3)
	for _, left := range copies {
		j, _ := open(t, left, 0)
		_, stop := ship(j, rows)
		stop()
		require.NoError(t, j.Close())
	}
	require.Equal(t, numbered(0, 300), rows.got())
	require.Positive(t, rows.again)
}

type sinkFunc func(context.Context, []journal.Entry) ([]int, error)

func (f sinkFunc) Store(ctx context.Context, entries []journal.Entry) ([]int, error) {
	return f(ctx, entries)
}

// TestAPowerCutTakesTheLastMomentOnly cuts every segment where the disk was told last, as the end of the machine would at the worst.
func TestAPowerCutTakesTheLastMomentOnly(t *testing.T) {
	dir, left := t.TempDir(), t.TempDir()
	j, _ := open(t, dir, 20_000)
	j.Watch()
	const promised = 100 * time.Millisecond
	var written []time.Time
	for begin := time.Now(); time.Since(begin) < 4*promised; {
		require.NoError(t, j.Append(at, fmt.Appendf(nil, "entry %d", len(written))))
		written = append(written, time.Now())
	}
	synced := j.Synced()
	cut := time.Now()
	require.NoError(t, j.Close())
	require.Greater(t, len(synced), 1)
	for path, size := range synced {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(left, filepath.Base(path)), content[:size], 0o600))
	}
	got := all(t, left)
	require.Equal(t, numbered(0, len(got)), got)
	// The disk of a test may be slow; what must hold is that all of which the disk was told is there, and that it was told in time.
	require.WithinDuration(t, cut, written[len(got)-1], 10*promised)
	require.Less(t, len(got), len(written)+1)
}

// TestNamesAreNeverGivenTwice: what a power cut took has its names with it, though the table may have the rows.
func TestNamesAreNeverGivenTwice(t *testing.T) {
	dir := t.TempDir()
	rows := newTable()
	j, _ := open(t, dir, 0)
	appendAll(t, j, numbered(0, 5))
	before := files(t, dir, "*.journal")[0]
	content, err := os.ReadFile(before)
	require.NoError(t, err)
	_, stop := ship(j, rows)
	stop()
	require.NoError(t, j.Close())

	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o750))
	require.NoError(t, os.WriteFile(before, content[:len(content)/2], 0o600)) // half of it came to the disk, and the mark of the shipper did not
	j, _ = open(t, dir, 0)
	appendAll(t, j, numbered(5, 10))
	_, stop = ship(j, rows)
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, numbered(0, 10), rows.got())
	require.Positive(t, rows.again)
}

func TestWhatASinkNeverTakesHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	j, log := open(t, dir, 0)
	rows := newTable()
	rows.refuse = "entry 1"
	appendAll(t, j, numbered(0, 3))
	_, stop := ship(j, rows)
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, []string{"entry 0", "entry 2"}, rows.got())
	require.Contains(t, log.String(), "put aside")
	require.EqualValues(t, 1, j.Backlog().Refused)
	require.Len(t, files(t, dir, "*.refused"), 1)

	for range 2 { // every start tries again
		j, _ = open(t, dir, 0)
		require.EqualValues(t, 3, j.Backlog().Entries)
		_, stop = ship(j, rows)
		stop()
		require.EqualValues(t, 1, j.Backlog().Refused)
		require.NoError(t, j.Close())
		require.Len(t, files(t, dir, "*.refused"), 1)
	}
	rows.refuse = ""
	j, _ = open(t, dir, 0)
	appendAll(t, j, numbered(3, 5))
	_, stop = ship(j, rows)
	stop()
	require.Zero(t, j.Backlog().Refused)
	require.NoError(t, j.Close())
	require.ElementsMatch(t, numbered(0, 5), rows.got())
	require.Empty(t, files(t, dir, "*.refused"))
	require.Empty(t, all(t, dir))
}

// TestAKillForgetsNothingThatWasRefused copies the folder after every batch, as a kill leaves it, and brings what it holds to a sink that takes all.
func TestAKillForgetsNothingThatWasRefused(t *testing.T) {
	dir := t.TempDir()
	rows := newTable()
	rows.refuse = "entry 10"
	j, _ := open(t, dir, 1000)
	appendAll(t, j, numbered(0, 100))
	var left []string
	_, stop := ship(j, sinkFunc(func(ctx context.Context, entries []journal.Entry) ([]int, error) {
		folder := t.TempDir() // before the batch, behind the checkpoint of the last one
		left = append(left, folder)
		if err := os.CopyFS(folder, os.DirFS(dir)); err != nil {
			panic(err)
		}
		return rows.Store(ctx, entries)
	}))
	stop()
	require.NoError(t, j.Close())
	require.Greater(t, len(left), 2)
	require.Len(t, rows.got(), 99)
	for _, folder := range append(left, dir) {
		again := newTable()
		for range 2 { // what was put aside beside its segment is taken back at the second start
			j, _ := open(t, folder, 0)
			_, stop := ship(j, again)
			stop()
			require.NoError(t, j.Close())
		}
		require.Contains(t, again.got(), "entry 10")
		require.Empty(t, files(t, folder, "*.refused"))
	}
}

// TestADamagedDisk changes a byte of an entry that is not shipped yet.
func TestADamagedDisk(t *testing.T) {
	dir := t.TempDir()
	rows := newTable()
	j, log := open(t, dir, 0)
	appendAll(t, j, numbered(0, 5))
	segment := files(t, dir, "*.journal")[0]
	content, err := os.ReadFile(segment)
	require.NoError(t, err)
	content[bytes.Index(content, []byte("entry 2"))] ^= 1
	require.NoError(t, os.WriteFile(segment, content, 0o600))
	_, stop := ship(j, rows)
	require.Eventually(t, func() bool { return j.Backlog().Damaged == 3 }, time.Minute, time.Millisecond)
	appendAll(t, j, numbered(5, 8))
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, append(numbered(0, 2), numbered(5, 8)...), rows.got())
	require.Zero(t, j.Backlog().Entries)
	require.Len(t, files(t, dir, "*.damaged"), 1)
	require.Contains(t, log.String(), "was damaged on the disk")
}

// TestASegmentThatIsRemovedHoldsNobodyUp deletes files of a running journal, as somebody does who wants room on a disk.
func TestASegmentThatIsRemovedHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	rows := newTable()
	j, log := open(t, dir, 400)
	appendAll(t, j, numbered(0, 100))
	segments := files(t, dir, "*.journal")
	require.Greater(t, len(segments), 5)
	require.NoError(t, os.Remove(segments[2]))
	require.NoError(t, os.Remove(segments[len(segments)-1]), "the one that is written to")
	_, stop := ship(j, rows)
	require.Eventually(t, func() bool { return j.Backlog().Entries == 0 }, time.Minute, time.Millisecond)
	appendAll(t, j, numbered(100, 110))
	stop()
	require.NoError(t, j.Close())
	got, lost := rows.got(), j.Backlog().Damaged
	require.Positive(t, lost)
	require.EqualValues(t, 110, int64(len(got))+lost)
	require.Equal(t, numbered(100, 110), got[len(got)-10:])
	require.Contains(t, log.String(), "was removed before it was shipped")
	require.LessOrEqual(t, len(files(t, dir, "*.journal")), 1, "the one that was begun last")
}

// TestAFolderThatIsAwayIsWaitedFor moves the folder away: nothing of it is given up.
func TestAFolderThatIsAwayIsWaitedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	rows := newTable()
	j, _ := open(t, dir, 400)
	appendAll(t, j, numbered(0, 100))
	require.NoError(t, os.Rename(dir, dir+"-moved"))
	require.NoError(t, os.Mkdir(dir, 0o700), "as the place of a disk that is not mounted")
	s, stop := ship(j, rows)
	require.Eventually(t, func() bool { return s.Failures() > 1 }, time.Minute, time.Millisecond)
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Rename(dir+"-moved", dir))
	require.Eventually(t, func() bool { return j.Backlog().Entries == 0 }, time.Minute, time.Millisecond)
	stop()
	require.NoError(t, j.Close())
	require.Zero(t, j.Backlog().Damaged)
	require.Equal(t, numbered(0, 100), rows.got())
}

// TestASegmentOfANewerVersionIsKeptForIt goes back to this version, with a journal that a newer one wrote, and on to the newer one again. The header of the newer
// one is that of this one with another number.
func TestASegmentOfANewerVersionIsKeptForIt(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 400)
	appendAll(t, j, numbered(0, 100))
	require.NoError(t, j.Close())
	setVersion := func(path string, version uint32) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		binary.LittleEndian.PutUint32(content[8:], version)
		binary.LittleEndian.PutUint32(content[28:], crc32.Checksum(content[:28], crc32.MakeTable(crc32.Castagnoli)))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	for _, segment := range files(t, dir, "*.journal") {
		setVersion(segment, 2)
	}
	j, log := open(t, dir, 400)
	require.Contains(t, log.String(), "is no segment that this version reads; it is put aside")
	appendAll(t, j, numbered(100, 150))
	rows := newTable()
	_, stop := ship(j, rows)
	stop()
	require.NoError(t, j.Close())
	require.Equal(t, numbered(100, 150), rows.got())

	for _, segment := range files(t, dir, "*.unreadable") {
		setVersion(segment, 1)
	}
	require.Equal(t, numbered(0, 100), all(t, dir))
	require.Empty(t, all(t, dir))
	require.Empty(t, files(t, dir, "*.unreadable"))
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	j, _ := open(t, t.TempDir(), 0)
	require.Error(t, j.Append(at, nil))
	require.Error(t, j.Append(at, make([]byte, journal.MaxPayload+1)))
	require.NoError(t, j.Append(at, make([]byte, journal.MaxPayload)))
	require.NoError(t, j.Close())
	require.ErrorContains(t, j.Append(at, []byte("late")), "the server stops")
}

// FuzzOpen holds that no content of a segment keeps a journal from opening, and that what is read is what was appended.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add(journal.EntryBytes(at, []byte("x")), uint16(3))
	f.Add(binary.LittleEndian.AppendUint32(nil, 1<<31), uint16(50))
	f.Fuzz(func(t *testing.T, tail []byte, cut uint16) {
		dir := t.TempDir()
		j, _ := open(t, dir, 0)
		appendAll(t, j, numbered(0, 3))
		require.NoError(t, j.Close())
		segment := files(t, dir, "*.journal")[0]
		content, err := os.ReadFile(segment)
		require.NoError(t, err)
		content = append(content[:min(int(cut), len(content))], tail...)
		require.NoError(t, os.WriteFile(segment, content, 0o600))
		got := all(t, dir)
		const header, entry = 32, 16 + len("entry 0")
		for i, text := range numbered(0, 3) {
			if header+(i+1)*entry <= int(cut) {
				require.Equal(t, text, got[i], "it is whole, whatever follows")
			}
		}
	})
}
