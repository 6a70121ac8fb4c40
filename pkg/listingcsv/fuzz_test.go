package listingcsv_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tasador/pkg/listingcsv"
	"tasador/pkg/property"
)

// seeds are inputs that trouble CSV readers. They stand behind the header that the fuzz target adds.
var seeds = []string{
	"", "\n", "a", "a,b,c", "a,b,c\n", "a,b,c\r\n1,2,3\r\n", "\"a\",\"b\",\"c\"\n", "\"a\nb\",c\n", "\"a\r\nb\",c\r\nd", "\"a\"\"b\",c\n", "\"\"\"\"\n",
	"\"\",\"\"\n", ",,\n", ",\n,\n", "a\"b,c\n", "\"a\"b,c\n", "\"a\n", "\"a\"\"\n", "\"a,b\n\n\n", "a,b,c,d\n", "\n\n\na\n\n", "a\r\rb\r", "\r", "\r\n",
	" \n", "\t\n a\n", " ,\n", "a ,b\n", " \"a\"\n", "\"a\" \n", "é,ñ\n", "\xff\n", "\xc3\n", "\xef\xbb\xbfa\n", "\x00,b\n", "'a,b'\n", "a\\,b\n",
	"\"x\"\n\"y\"\n", "\"x,\n\",\"\n\"\n\"\",z", "for_sale,3,2\n,,\nsold,,1.5\n", strings.Repeat("ab,\"c\"\"\nd\"\n", 40), strings.Repeat("x", 300),
	"\"" + strings.Repeat("x\n", 200) + "\"", "\"\r\n\r\n\r\"\n", "a\n\"", "\"\n", "\"a\",\"b\"\r\"c\"", "\",\"\n\",\"",
}

// FuzzAgainstEncodingCSV compares what both readers make of a file, whatever the sizes of blocks and the number of parsers.
// encoding/csv reads what follows a lone CR as the same line, and reads blank lines of spaces, so both are taken out first.
func FuzzAgainstEncodingCSV(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, i%5+1, i%7*3+1)
	}
	f.Fuzz(func(t *testing.T, content string, workers, blockSize int) {
		content = "status,city,state\n" + content
		opt := listingcsv.Options{Workers: 1 + abs(workers)%4, BlockSize: 1 + abs(blockSize)%64, MaxRecord: 4096}
		if len(content) > opt.MaxRecord {
			return
		}
		got, gotErr := read(content, opt)
		want, wantErr := readStandard(content)
		if wantErr != nil {
			require.Error(t, gotErr, "encoding/csv: %v", wantErr)
			return
		}
		require.NoError(t, gotErr)
		require.Equal(t, want, got)
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// read returns the fields of every record, line ends in them as LF, records of nothing but blanks left out.
func read(content string, opt listingcsv.Options) ([][3]string, error) {
	reader, err := listingcsv.NewReader(strings.NewReader(content), opt)
	if err != nil {
		return nil, err
	}
	var rows [][3]string
	err = listingcsv.EachListing(context.Background(), reader, func(l property.Listing) error {
		rows = append(rows, [3]string{unix(l.Status.Value), unix(l.City.Value), unix(l.State.Value)})
		return nil
	})
	return withoutBlank(rows), err
}

// unix writes every line end as LF.
func unix(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// readStandard is read by encoding/csv.
func readStandard(content string) ([][3]string, error) {
	if !utf8.ValidString(content) {
		return nil, io.ErrUnexpectedEOF // which encoding/csv takes
	}
	r := csv.NewReader(strings.NewReader(unix(content)))
	r.FieldsPerRecord = -1
	var rows [][3]string
	for {
		record, err := r.Read()
		if err == io.EOF {
			return withoutBlank(rows[1:]), nil
		}
		if err != nil {
			return nil, err
		}
		if len(record) > 3 {
			return nil, csv.ErrFieldCount
		}
		var row [3]string
		copy(row[:], record)
		rows = append(rows, row)
	}
}

func withoutBlank(rows [][3]string) [][3]string {
	var kept [][3]string
	for _, row := range rows {
		if strings.Trim(strings.Join(row[:], ""), " \t") != "" {
			kept = append(kept, row)
		}
	}
	return kept
}

// The order and the sizes of reads must not matter either.
func TestShortReadsGiveTheSameRecords(t *testing.T) {
	for _, s := range seeds {
		content := "status,city,state\n" + s
		want, wantErr := read(content, listingcsv.Options{})
		reader, err := listingcsv.NewReader(oneByte{strings.NewReader(content)}, listingcsv.Options{BlockSize: 3})
		if err == nil {
			var rows [][3]string
			err = listingcsv.EachListing(context.Background(), reader, func(l property.Listing) error {
				rows = append(rows, [3]string{unix(l.Status.Value), unix(l.City.Value), unix(l.State.Value)})
				return nil
			})
			if wantErr == nil {
				require.Equal(t, want, withoutBlank(rows), "%q", s)
			}
		}
		require.Equal(t, wantErr == nil, err == nil, "%q: %v, %v", s, wantErr, err)
		if err != nil {
			require.Equal(t, wantErr.Error(), err.Error(), "%q", s)
		}
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// BenchmarkRead reads rows as training does: seven of twelve columns.
func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	file.WriteString(strings.Join(property.Columns(), ",") + "\n")
	const rows = 50_000
	for i := range rows {
		file.WriteString([]string{
			"103378.0,for_sale,105000.0,3,2,0.12,1962661.0,Adjuntas,Puerto Rico,00601,920.0,\n",
			"52707.0,sold,80000.0,4,2,0.08,1902874.0,\"San Juan, PR\",Puerto Rico,00601,1527.0,2014-05-06\n",
		}[i%2])
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		reader, err := listingcsv.NewReader(bytes.NewReader(file.Bytes()), listingcsv.Options{})
		if err != nil {
			b.Fatal(err)
		}
		total := 0
		err = listingcsv.Each(context.Background(), reader, func() *sums { return &sums{} }, func(s *sums) error {
			total += s.rows
			return nil
		})
		if err != nil || total != rows {
			b.Fatal(err, total)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}

// sums is a batch that keeps nothing.
type sums struct {
	rows  int
	price float64
}

func (s *sums) Add(r *listingcsv.Record) {
	s.rows++
	s.price += r.Number(listingcsv.Price) + r.Number(listingcsv.Bed) + r.Number(listingcsv.Bath) + r.Number(listingcsv.AcreLot) +
		r.Number(listingcsv.HouseSize)
}

func (s *sums) Reset() { *s = sums{} }
