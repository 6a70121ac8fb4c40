package demo

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/property"
)

// file writes a CSV file of rows, which are given as text after the header.
func file(t *testing.T, rows ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "listings.csv")
	content := strings.Join(property.Columns(), ",") + "\n" + strings.Join(rows, "\n") + "\n"
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

const (
	complete  = "1,for_sale,100000,3,2,0.5,1,Springfield,Ohio,45501,1500,2020-01-31"
	noBath    = "1,for_sale,100000,3,,0.5,1,Springfield,Ohio,45501,1500,2020-01-31"
	noDate    = "1,for_sale,100000,3,2,0.5,1,Springfield,Ohio,45501,1500,"
	wideBed   = "1,for_sale,100000,14,2,0.5,1,Springfield,Ohio,45501,1500,2020-01-31"
	everyGap  = ",,,,,,,,,,,"
	fileOf100 = 100
)

func repeat(row string, n int) []string {
	return strings.Split(strings.Repeat(row+"\n", n-1)+row, "\n")
}

func TestCompleteFilesMeetTheOriginalsGateButForTheirSize(t *testing.T) {
	p, err := fromFile(context.Background(), file(t, repeat(complete, fileOf100)...))
	require.NoError(t, err)
	require.Equal(t, config.Gate{MinNewRecords: 2}, p.gate)
	require.Equal(t, "0,2,94,2:nulls=bath,2:missing=bed", p.batches(), "100 rows in all")
	require.Equal(t, []string{"--gate.min-new-records=2, because the file is small"}, p.notes)
}

func TestLargeFilesKeepTheMinimum(t *testing.T) {
	p, err := fromFile(context.Background(), file(t, repeat(complete, 11000)...))
	require.NoError(t, err)
	require.Equal(t, config.Gate{MinNewRecords: 10000}, p.gate)
	require.Empty(t, p.notes)
}

func TestGapsAndSlipsAreExcusedAndSaid(t *testing.T) {
	rows := append(repeat(complete, fileOf100), noBath, noDate, wideBed)
	rows = append(rows, repeat(complete, fileOf100)...)
	p, err := fromFile(context.Background(), file(t, rows...))
	require.NoError(t, err)
	require.Equal(t, []string{"bath", "prev_sold_date"}, p.gate.Nullable)
	require.InDelta(t, 0.01, p.gate.MaxInvalidRatio, 0, "one row of about 190")
	require.Contains(t, p.batches(), ":nulls=bed", "bath may be null here, so another column shows what nulls do")
	require.Len(t, p.notes, 3)
}

func TestWhereEverythingMayBeNullTheRunWithNullsGetsAStrictGate(t *testing.T) {
	rows := append(repeat(complete, fileOf100), everyGap)
	rows = append(rows, repeat(complete, fileOf100)...)
	p, err := fromFile(context.Background(), file(t, rows...))
	require.NoError(t, err)
	require.ElementsMatch(t, property.Required(), p.gate.Nullable)
	var conf struct {
		Gate struct {
			Nullable        []string
			MaxInvalidRatio *float64 `json:"max_invalid_ratio"`
		}
	}
	require.NoError(t, json.Unmarshal(p.steps[3].conf, &conf))
	require.Empty(t, conf.Gate.Nullable)
	require.Zero(t, *conf.Gate.MaxInvalidRatio)
}

func TestFilesThatCannotBeDemonstratedAreRefused(t *testing.T) {
	_, err := fromFile(context.Background(), file(t, repeat(complete, 5)...))
	require.ErrorContains(t, err, "has 5 rows; the demonstration needs 6")
	path := filepath.Join(t.TempDir(), "other.csv")
	require.NoError(t, os.WriteFile(path, []byte("a,b\n1,2\n"), 0o600))
	_, err = fromFile(context.Background(), path)
	require.ErrorContains(t, err, "has no column status, bed")
	_, err = fromFile(context.Background(), filepath.Join(t.TempDir(), "missing.csv"))
	require.ErrorContains(t, err, "check the path")
}
