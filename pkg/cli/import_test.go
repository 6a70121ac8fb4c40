package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/s3test"
)

func TestImportReportsWhatIsInTheFile(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.csv")
	require.NoError(t, os.WriteFile(file, []byte("price,bed,status\n1,2,sold\nx,,\n3\n"), 0o600))
	r := tasador(t, "import", "--csv", file, "--data-dir", folder)
	require.Equal(t, 0, r.code, r.err)
	require.FileExists(t, filepath.Join(folder, "rawdata.db"))
	require.Regexp(t, `^imported 3 rows of \S+a\.csv as import__`, r.out)
	lines := strings.Split(r.out, "\n")
	require.Equal(t, []string{"column", "nulls", "wrong", "type"}, strings.Fields(lines[2]))
	require.Equal(t, []string{"status", "2", "0"}, strings.Fields(lines[4]))
	require.Equal(t, []string{"price", "0", "1"}, strings.Fields(lines[5]))
	require.Equal(t, []string{"bed", "2", "0"}, strings.Fields(lines[6]))
	require.Contains(t, r.err, "3 rows stored")
	require.NotContains(t, r.err, "\r", "no bar where there is no terminal")

	again := tasador(t, "import", "--csv", file, "--rawdata.url", "sqlite:"+filepath.Join(folder, "rawdata.db"))
	require.Equal(t, 0, again.code, again.err)
	require.Contains(t, again.out, "is imported already: 3 rows on ")
	require.Contains(t, again.out, "Nothing was changed; --again imports it once more.")
	require.Contains(t, tasador(t, "import", "--csv", file, "--data-dir", folder, "--again").out, "imported 3 rows")
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	for says, args := range map[string][]string{
		"say which file to import: --csv=FILE or --parquet=FILE": {},
		"--csv and --parquet can't be used together":             {"--csv=a", "--parquet=b"},
		"there is no file " + folder + "/a.csv":                  {"--csv=" + folder + "/a.csv"},
		`"s3://bucket" does not name an object of S3`:            {"--parquet=s3://bucket"},
		"database URL \"nothing\" is not understood":             {"--csv=a", "--rawdata.url=nothing"},
		`the S3 endpoint "here" is not an address`:               {"--csv=s3://b/k", "--artifacts.endpoint=here"},
	} {
		r := tasador(t, append([]string{"import", "--data-dir=" + folder}, args...)...)
		require.NotEqual(t, 0, r.code)
		require.Contains(t, r.err, says)
	}
}

func TestImportFromS3(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	server := s3test.Start(t)
	server.SetEnv(t)
	server.MakeBucket(t, "listings")
	server.Put(t, "listings", "a.csv", []byte("price\n1\n2\n"))
	folder := t.TempDir()
	r := tasador(t, "import", "--csv=s3://listings/a.csv", "--data-dir", folder, "--artifacts.endpoint", server.Endpoint)
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "imported 2 rows of s3://listings/a.csv")
	t.Setenv("AWS_ENDPOINT_URL", server.Endpoint)
	require.Contains(t, tasador(t, "import", "--csv=s3://listings/a.csv", "--data-dir", folder).out, "is imported already: 2 rows")
}
