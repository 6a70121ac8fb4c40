package listingparquet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingparquet"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
)

// files lets pyarrow write the files of the tests and returns their folder.
func files(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the Python packages that make test installs")
	}
	folder := t.TempDir()
	out, err := exec.Command(testkit.Venv(t, "python"), filepath.Join("testdata", "make.py"), folder).CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

type row struct {
	property.Listing
	wrong []string
}

func read(t *testing.T, path string, skip int) ([]row, []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	rd, err := listingparquet.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	var rows []row
	require.NoError(t, rd.Each(t.Context(), skip, func(l property.Listing, wrong []string) error {
		rows = append(rows, row{l, append([]string(nil), wrong...)})
		return nil
	}))
	require.Len(t, rows, max(0, rd.Rows()-skip))
	return rows, rd.Columns()
}

func TestValuesAreReadAsTheirColumnWants(t *testing.T) {
	folder := files(t)
	rows, columns := read(t, filepath.Join(folder, "types.parquet"), 0)
	require.Equal(t, []string{"prev_sold_date", "zip_code", "price", "bed", "bath", "acre_lot", "brokered_by", "street", "house_size", "city", "state", "status"}, columns)
	text := property.NewText
	require.Equal(t, row{property.Listing{
		BrokeredBy: 18446744073709551616, Status: text("for_sale"), Price: 185000.10, Bed: 3, Bath: 2, AcreLot: 0.5, Street: 9007199254740992,
		City: text("Adjuntas"), State: text("Puerto Rico"), ZipCode: text("00601"), HouseSize: 920.5, PrevSoldDate: text("2021-12-01"),
	}, nil}, rows[0])

	second := rows[1]
	require.Equal(t, []string{"zip_code", "status"}, second.wrong, "60610.5 is no zip code, and ff no UTF-8")
	require.Equal(t, [4]float64{-0.01, -1, 4294967295, 1}, [4]float64{second.Price, second.Bed, second.Bath, second.Street})
	require.True(t, property.IsNull(second.AcreLot), "NaN is how pandas says that nothing is there")
	require.Equal(t, [4]property.Text{text(""), {}, {}, {}}, [4]property.Text{second.City, second.State, second.PrevSoldDate, second.Status})

	third := rows[2]
	require.Equal(t, []string{"acre_lot"}, third.wrong, "JSON cannot say infinite")
	for _, v := range []float64{third.AcreLot, third.Price, third.Bed, third.Bath, third.BrokeredBy, third.Street} {
		require.True(t, property.IsNull(v))
	}
	require.InDelta(t, 1e300, third.HouseSize, 0)
	require.Equal(t, [3]property.Text{text("Ñuñoa"), text(""), {}}, [3]property.Text{third.City, third.PrevSoldDate, third.ZipCode})

	rows, columns = read(t, filepath.Join(folder, "misfits.parquet"), 0)
	require.Len(t, columns, 9)
	require.Equal(t, []string{"price", "bed", "bath", "acre_lot", "house_size", "status", "city", "prev_sold_date"}, rows[0].wrong)
	require.Equal(t, text("601"), rows[0].ZipCode, "a text stays as it is")
	require.Equal(t, []string{"bath", "acre_lot"}, rows[1].wrong, "lists and groups fit nowhere, whatever is in them")
}

func TestDatesAndTimestampsBecomeTheTextsOfDates(t *testing.T) {
	folder := files(t)
	for name, second := range map[string]string{
		"date": "1969-12-31", "ms": "1969-12-31T12:30:00.25", "us": "1969-12-31T12:30:00.25", "ns": "1969-12-31T12:30:00.25",
		"zone": "1969-12-31T12:30:00.25", "int96": "1969-12-31T12:30:00.25",
	} {
		rows, _ := read(t, filepath.Join(folder, "date-"+name+".parquet"), 0)
		require.Equal(t, property.NewText("2021-12-01"), rows[0].PrevSoldDate, name)
		require.Equal(t, property.NewText(second), rows[1].PrevSoldDate, name)
	}
}

func TestEveryKindOfFileGivesTheSameRowsFromAnyRowOn(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(files(t), "many-*.parquet"))
	require.NoError(t, err)
	require.Len(t, paths, 11)
	for _, path := range paths {
		for _, skip := range []int{0, 1, 1699, 1700, 4321, 9999, 10_000, 20_000} {
			rows, _ := read(t, path, skip)
			for i, r := range rows {
				n := skip + i
				where := fmt.Sprintf("row %d of %s", n, filepath.Base(path))
				require.Equal(t, n%7 == 0, property.IsNull(r.Price), where)
				require.True(t, n%7 == 0 || r.Price == float64(n), "%s: %v after %d", where, r.Price, skip)
				require.Equal(t, property.Text{Value: map[bool]string{true: fmt.Sprintf("s%d", n%4)}[n%5 != 0], Valid: n%5 != 0}, r.Status, where)
				require.InDelta(t, n%11, r.Bed, 0, where)
			}
		}
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	folder := files(t)
	rows, _ := read(t, filepath.Join(folder, "empty.parquet"), 0)
	require.Empty(t, rows)

	content, err := os.ReadFile(filepath.Join(folder, "long.parquet"))
	require.NoError(t, err)
	rd, err := listingparquet.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	seen := 0
	count := func(property.Listing, []string) error { seen++; return nil }
	require.EqualError(t, rd.Each(t.Context(), 0, count), "row 3: status holds a text longer than 1048576 bytes")
	require.Equal(t, 2, seen)

	stop := errors.New("stop")
	require.ErrorIs(t, rd.Each(t.Context(), 0, func(property.Listing, []string) error { return stop }), stop)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, rd.Each(ctx, 0, count), context.Canceled)

	for _, other := range [][]byte{nil, []byte("price,bed\n1,2\n"), content[:len(content)-1], content[4:]} {
		_, err := listingparquet.NewReader(bytes.NewReader(other), int64(len(other)))
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
		require.ErrorContains(t, err, "it is no Parquet file")
	}

	lz4, err := os.ReadFile(filepath.Join(folder, "lz4.parquet"))
	require.NoError(t, err)
	_, err = listingparquet.NewReader(bytes.NewReader(lz4), int64(len(lz4)))
	require.ErrorContains(t, err, "column price is compressed with LZ4, which is not supported")

	gone := errors.New("the disk is gone")
	rd, err = listingparquet.NewReader(breaking{bytes.NewReader(content), int64(len(content) - 2000), gone}, int64(len(content)))
	require.NoError(t, err)
	err = rd.Each(t.Context(), 0, count)
	require.ErrorIs(t, err, gone)
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
}

// breaking gives its first four bytes, and those from the position from on.
type breaking struct {
	io.ReaderAt
	from int64
	err  error
}

func (b breaking) ReadAt(p []byte, at int64) (int, error) {
	if at >= 4 && at < b.from {
		return 0, b.err
	}
	return b.ReaderAt.ReadAt(p, at)
}

// A damaged file ends in an error or in other values, never in a panic, whichever byte is wrong.
func TestDamagedFilesAreErrors(t *testing.T) {
	folder := files(t)
	refused := 0
	for _, name := range []string{"types", "misfits", "many-plain"} {
		content, err := fs.ReadFile(os.DirFS(folder), name+".parquet")
		require.NoError(t, err)
		for i := 0; i < len(content); i += 1 + len(content)/150 {
			other := bytes.Clone(content)
			other[i] ^= 0xff
			rd, err := listingparquet.NewReader(bytes.NewReader(other), int64(len(other)))
			if err == nil {
				err = rd.Each(t.Context(), 0, func(property.Listing, []string) error { return nil })
			}
			if err != nil {
				require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%v", err)
				refused++
			}
		}
	}
	require.Greater(t, refused, 100)
}
