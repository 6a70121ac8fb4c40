package cli_test

import (
	"crypto/sha256"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/property"
)

func TestGenerateWritesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "listings.csv")
	r := tasador(t, "source", "generate", "--rows", "12000", "--seed", "5", "--out", path)
	require.Equal(t, 0, r.code, r.err)
	require.Empty(t, r.out)
	require.Contains(t, r.err, "generating")
	require.Contains(t, r.err, "wrote 12000 listings to "+path)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	records, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 12001)
	require.Equal(t, property.Columns(), records[0])

	piped := tasador(t, "source", "generate", "--rows", "12000", "--seed", "5")
	require.Equal(t, 0, piped.code, piped.err)
	require.Equal(t, sha256.Sum256(content), sha256.Sum256([]byte(piped.out)), "the same seed, the same bytes, wherever they go")
	other := tasador(t, "source", "generate", "--rows", "12000", "--seed", "6")
	require.NotEqual(t, piped.out, other.out)
}

func TestGenerateCompleteHasNoGaps(t *testing.T) {
	r := tasador(t, "source", "generate", "--rows", "500", "--complete")
	require.Equal(t, 0, r.code, r.err)
	records, err := csv.NewReader(strings.NewReader(r.out)).ReadAll()
	require.NoError(t, err)
	for _, record := range records {
		require.NotContains(t, record, "")
	}
}

func TestGenerateSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	kept := filepath.Join(folder, "kept.csv")
	require.NoError(t, os.WriteFile(kept, []byte("old"), 0o600))
	for says, args := range map[string][]string{
		"--rows=-1 is negative; it counts listings":                         {"--rows=-1", "--out", kept},
		folder + "/none/x.csv cannot be written: no such file or directory": {"--rows=1", "--out", folder + "/none/x.csv"},
		folder + " cannot be written: is a directory":                       {"--rows=1", "--out", folder},
		"missing flags: --rows":                                             {"--out", kept},
		"unknown flag --row":                                                {"--row=1"},
		"--seed":                                                            {"--rows=1", "--seed=x"},
	} {
		r := tasador(t, append([]string{"source", "generate"}, args...)...)
		require.NotEqual(t, 0, r.code, says)
		require.Contains(t, r.err, says)
	}
	content, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, "old", string(content))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half done is left behind")
}
