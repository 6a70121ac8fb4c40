package listingcsv_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/apperror"
	"tasador/pkg/listingcsv"
	"tasador/pkg/property"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listings reads a whole file.
func listings(t *testing.T, content string) ([]property.Listing, []string) {
	t.Helper()
	reader, err := listingcsv.NewReader(strings.NewReader(content), listingcsv.Options{})
	require.NoError(t, err)
	var rows []property.Listing
	require.NoError(t, listingcsv.EachListing(context.Background(), reader, func(l property.Listing) error {
		rows = append(rows, l)
		return nil
	}))
	return rows, reader.Columns()
}

func TestColumnsComeInAnyOrderAndUnknownOnesAreIgnored(t *testing.T) {
	rows, columns := listings(t, "id,price,city,Bed,bed,status, bath,zip_code,brokered_by\n1,5e5,Ponce,9,3,sold,2,00731,12.0\n")
	require.Equal(t, []string{"price", "city", "bed", "status", "zip_code", "brokered_by"}, columns)
	require.Len(t, rows, 1)
	l := rows[0]
	require.Equal(t, 500000.0, l.Price)
	require.Equal(t, 3.0, l.Bed)
	require.Equal(t, 12.0, l.BrokeredBy)
	require.Equal(t, property.NewText("Ponce"), l.City)
	require.Equal(t, property.NewText("sold"), l.Status)
	require.Equal(t, property.NewText("00731"), l.ZipCode, "leading zeros stay")
	require.True(t, property.IsNull(l.Bath), "a header with a space is another name")
	require.Equal(t, property.Text{}, l.State)
	require.Equal(t, property.Text{}, l.PrevSoldDate)
}

func TestEveryColumnReachesItsField(t *testing.T) {
	names := property.Columns()
	values := make([]string, len(names))
	for i := range values {
		values[i] = fmt.Sprint(100 + i)
	}
	rows, columns := listings(t, strings.Join(names, ",")+"\n"+strings.Join(values, ",")+"\n")
	require.Equal(t, names, columns)
	require.Equal(t, property.Listing{
		BrokeredBy: 100, Status: property.NewText("101"), Price: 102, Bed: 103, Bath: 104, AcreLot: 105, Street: 106,
		City: property.NewText("107"), State: property.NewText("108"), ZipCode: property.NewText("109"), HouseSize: 110,
		PrevSoldDate: property.NewText("111"),
	}, rows[0])
}

func TestOfTwoColumnsOfOneNameTheFirstCounts(t *testing.T) {
	rows, columns := listings(t, "bed,status,bed\n1,a,2\n,b,3\n")
	require.Equal(t, []string{"bed", "status"}, columns)
	require.Equal(t, 1.0, rows[0].Bed)
	require.True(t, property.IsNull(rows[1].Bed), "the second does not fill in")
}

func TestWhatTheReferenceReadsIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		status  []string
	}{
		"LF":                           {"status,bed\na,1\nb,2\n", []string{"a", "b"}},
		"CRLF":                         {"status,bed\r\na,1\r\nb,2\r\n", []string{"a", "b"}},
		"CR":                           {"status,bed\ra,1\rb,2\r", []string{"a", "b"}},
		"no last line end":             {"status,bed\na,1\nb,2", []string{"a", "b"}},
		"byte order mark":              {"\xef\xbb\xbfstatus,bed\na,1\n", []string{"a"}},
		"mark before a quote":          {"\xef\xbb\xbf\"status\",bed\na,1\n", []string{"a"}},
		"blank lines":                  {"\n \nstatus,bed\n\na,1\n  \t\n\r\nb,2\n\n", []string{"a", "b"}},
		"a blank last line":            {"status,bed\na,1\n  ", []string{"a"}},
		"short rows":                   {"bed,status\n1,a\n2\n3,b\n", []string{"a", "", "b"}},
		"quoted blanks are a row":      {"status\na\n\" \"\n\"\"\n", []string{"a", " ", ""}},
		"quotes":                       {"status,bed\n\"a,\"\"b\"\"\nc\",1\n", []string{"a,\"b\"\nc"}},
		"CRLF in quotes stays":         {"status,bed\r\n\"a\r\nb\",1\r\n", []string{"a\r\nb"}},
		"words for null are words":     {"status,bed\nnan,1\nNA,1\nnull,1\n", []string{"nan", "NA", "null"}},
		"blanks around are kept":       {"status,bed\n a ,1\n", []string{" a "}},
		"blanks behind a line's start": {"status,bed\n ,1\n", []string{" "}},
	} {
		rows, _ := listings(t, c.content)
		var status []string
		for _, l := range rows {
			status = append(status, l.Status.Value)
			require.Equal(t, l.Status.Value != "", l.Status.Valid, "%s: an empty field is NULL", name)
		}
		require.Equal(t, c.status, status, name)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	lines := strings.Repeat("for_sale,1\n", 30_000) // several blocks
	for name, c := range map[string]struct{ content, says string }{
		"long row":                {"status,bed\na,1\nb,2,3\n", "line 3 has more than the 2 fields"},
		"long row far down":       {"status,bed\n" + lines + "a,1,2\n", "line 30002 has more"},
		"behind quoted lines":     {"status,bed\n\"a\nb\r\nc\rd\",1\n\n \nb,2,3\n", "line 8 has more"},
		"bare quote":              {"status,bed\n" + lines + "a\"b,1\n" + lines, "line 30002 has a quote"},
		"bare quote in a header":  {"sta\"tus,bed\na,1\n", "line 1 has a quote"},
		"text behind a quote":     {"status,bed\n" + lines + "\"a\"b,1\n", "line 30002 has text behind"},
		"open quote":              {"status,bed\n\n\"a,1\n", "line 3"},
		"quote that never closes": {"status,bed\n" + lines + "\"a,1\n" + strings.Repeat(lines, 5), "line 30002: the record here is longer than 1048576 bytes"},
		"long record":             {"status,bed\na,1\n" + strings.Repeat("x", 1<<20+1) + "\n", "line 3: the record here is longer"},
		"long header":             {strings.Repeat("x", 3<<20) + "\n", "line 1: the record here is longer"},
		"Latin-1":                 {"status,bed\n" + lines + "Mayag\xfcez,1\n", "line 30002 holds bytes that are not UTF-8"},
		"UTF-16":                  {"\xff\xfes\x00t\x00", "line 1 holds bytes that are not UTF-8"},
		"empty":                   {"", "the file is empty"},
		"blank":                   {"\n \n", "the file is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			reader, err := listingcsv.NewReader(strings.NewReader(c.content), listingcsv.Options{})
			if err == nil {
				err = listingcsv.EachListing(context.Background(), reader, func(property.Listing) error { return nil })
			}
			require.ErrorContains(t, err, c.says)
			require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
		})
	}
}

func TestARecordMayHaveAMebibyte(t *testing.T) {
	long := strings.Repeat("x", 1<<20-2)
	rows, _ := listings(t, "status,bed\na,1\n"+long+",1\nb,2\n")
	require.Len(t, rows, 3)
	require.Len(t, rows[1].Status.Value, 1<<20-2)
}

func TestRecordsComeInTheOrderOfTheFile(t *testing.T) {
	var file strings.Builder
	file.WriteString("bed,status\n")
	const n = 60_000
	for i := range n {
		fmt.Fprintf(&file, "%d,\"s\n%d\"\n", i, i%7)
	}
	next := 0
	reader, err := listingcsv.NewReader(strings.NewReader(file.String()), listingcsv.Options{Workers: 4, BlockSize: 3_000})
	require.NoError(t, err)
	require.NoError(t, listingcsv.EachListing(context.Background(), reader, func(l property.Listing) error {
		if l.Bed != float64(next) || l.Status.Value != fmt.Sprintf("s\n%d", next%7) {
			return fmt.Errorf("record %d is %v", next, l)
		}
		next++
		return nil
	}))
	require.Equal(t, n, next)
}

func TestReadingEndsWithTheCallersErrorAndContext(t *testing.T) {
	content := "bed\n" + strings.Repeat("1\n", 1_000_000)
	open := func() *listingcsv.Reader {
		reader, err := listingcsv.NewReader(strings.NewReader(content), listingcsv.Options{})
		require.NoError(t, err)
		return reader
	}
	enough := errors.New("enough")
	calls := 0
	require.ErrorIs(t, listingcsv.EachListing(context.Background(), open(), func(property.Listing) error {
		calls++
		return enough
	}), enough)
	require.Equal(t, 1, calls)
	ctx, cancel := context.WithCancel(context.Background())
	require.ErrorIs(t, listingcsv.EachListing(ctx, open(), func(property.Listing) error {
		cancel()
		return nil
	}), context.Canceled)
}

type broken struct{ r *strings.Reader }

var errDisk = errors.New("disk")

func (b broken) Read(p []byte) (int, error) {
	if b.r.Len() == 0 {
		return 0, errDisk
	}
	return b.r.Read(p)
}

func TestAFailingDiskIsReported(t *testing.T) {
	_, err := listingcsv.NewReader(broken{strings.NewReader("bed\n1\n")}, listingcsv.Options{})
	require.ErrorIs(t, err, errDisk)
	reader, err := listingcsv.NewReader(broken{strings.NewReader("bed\n" + strings.Repeat("1\n", 1<<20))}, listingcsv.Options{})
	require.NoError(t, err)
	require.ErrorIs(t, listingcsv.EachListing(context.Background(), reader, func(property.Listing) error { return nil }), errDisk)
}

// The expected values are those of pandas 3.1.1: pandas.to_numeric(text, errors="coerce"), infinities as missing.
func TestNumbersAreThoseOfPandas(t *testing.T) {
	missing := math.NaN()
	for text, want := range map[string]float64{
		"1": 1, "1.5": 1.5, " 1": 1, "1 ": 1, "\t1\t": 1, "\n1": 1, "1\r": 1, "\v1\f": 1, "+5": 5, "-5": -5, "1e5": 1e5, "1E5": 1e5, "1e+5": 1e5,
		"1e-5": 1e-5, "1.e5": 1e5, ".5": 0.5, "5.": 5, "-.5": -0.5, "00012": 12, "0e0": 0, "1e0000005": 1e5, "1e-400": 0, "1e308": 1e308,
		"99999999999999999999": 1e20, "18446744073709551616": 18446744073709551616, "9223372036854775807": 9223372036854775807,
		"123456789012345678901234567890": 1.2345678901234568e+29, "0.1234567890123456789": 0.12345678901234568, "0.1": 0.1, "4.35": 4.35,
		"1e22": 1e22, "1e23": 1e23, "123456789.123456789": 123456789.12345679, "5e-324": 5e-324, "0e99999999999": 0,
		"0." + strings.Repeat("1", 50): 0.1111111111111111, strings.Repeat("0", 400) + "1": 1,
		"": missing, " ": missing, "+ 5": missing, "--5": missing, "1e": missing, "1e+": missing, ".": missing, "+.": missing, "e5": missing, ".e5": missing,
		"1 e5": missing, "1e 5": missing, "inf": missing, "-inf": missing, "Infinity": missing, "nan": missing, "NaN": missing, "null": missing,
		"None": missing, "N/A": missing, "True": missing, "false": missing, "0x10": missing, "0x1p4": missing, "0b1": missing, "1_000": missing,
		"1,000": missing, "1e400": missing, "-1e400": missing, "1.8e308": missing, strings.Repeat("1", 400): missing, "１２": missing, "٣": missing,
		"1d5": missing, "1f": missing, "5L": missing, "1j": missing, "12abc": missing, "$5": missing, "5%": missing, "1/2": missing, "1.2.3": missing,
		"1..2": missing, "1e5.5": missing, "\u00a01": missing, "1\u00a0": missing, "\ufeff1": missing, "1\x00": missing, "1\x1c": missing,
		"1e99999999999": missing,
	} {
		got := listingcsv.ParseNumber([]byte(text))
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got), "%q is %v", text, got)
			continue
		}
		require.Equal(t, want, got, "%q", text)
	}
}
