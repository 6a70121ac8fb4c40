package reloaded_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/reloaded"
)

// log is a buffer that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func word(contents [][]byte) (string, error) {
	text := strings.TrimSpace(string(contents[0]))
	if text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

func TestContentIsReadAnewAndWhatCannotBeUsedIsToldOnce(t *testing.T) {
	path, told := filepath.Join(t.TempDir(), "word"), &log{}
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	await := func(condition func() bool) { require.Eventually(t, condition, time.Minute, 20*time.Millisecond) }
	write("one\n")
	v, err := reloaded.Open(slog.New(slog.NewTextHandler(told, nil)), word, path)
	require.NoError(t, err)
	require.Equal(t, "one", v.Get())
	write("two")
	await(func() bool { return v.Get() == "two" })
	require.NoError(t, v.Problem())

	write("")
	await(func() bool { return v.Problem() != nil && told.count("it is empty") > 0 })
	require.Equal(t, "two", v.Get())
	write("three")
	await(func() bool { return v.Get() == "three" && v.Problem() == nil })

	require.NoError(t, os.Remove(path))
	await(func() bool { return v.Problem() != nil && told.count("cannot be read") > 0 })
	require.Equal(t, "three", v.Get())
	require.Equal(t, 2, told.count("level=ERROR"), "each once")
	write("three")
	await(func() bool { return v.Problem() == nil })
}

func TestWhatIsWrongFromTheBeginningIsAnError(t *testing.T) {
	dir := t.TempDir()
	_, err := reloaded.Open(nil, word, dir)
	require.ErrorContains(t, err, dir+" is not a file")
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = reloaded.Open(nil, word, empty)
	require.EqualError(t, err, "it is empty")
	_, err = reloaded.Open(nil, word, filepath.Join(dir, "none"))
	require.ErrorContains(t, err, "none cannot be read")
}
