package listinggen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tasador/pkg/property"
)

// reportEvery is how many rows lie between two calls of a progress function.
const reportEvery = 10_000

// WriteCSV writes a header and so many listings to w, numbers as the real files have them: 105000.0, but 3 bedrooms. progress,
// which may be nil, is told the rows done now and then and at the end.
func WriteCSV(ctx context.Context, w io.Writer, opts Options, rows int, progress func(done int)) error {
	if progress == nil {
		progress = func(int) {}
	}
	out := bufio.NewWriterSize(w, 1<<18)
	if _, err := out.WriteString(strings.Join(property.Columns(), ",") + "\n"); err != nil {
		return fmt.Errorf("write the header: %w", err)
	}
	g := New(opts)
	var line []byte
	for done := 1; done <= rows; done++ {
		line = AppendCSV(line[:0], g.Next())
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write row %d: %w", done, err)
		}
		if done%reportEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(done)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the last rows: %w", err)
	}
	progress(rows)
	return nil
}

// AppendCSV appends the listing as a line in the order of property.Columns; what is missing is an empty field. Texts of the
// generator need no quotes.
func AppendCSV(dst []byte, l property.Listing) []byte {
	dst = append(appendDecimal(dst, l.BrokeredBy), ',')
	dst = append(append(dst, l.Status.Value...), ',')
	dst = append(appendDecimal(dst, l.Price), ',')
	dst = append(appendShort(dst, l.Bed), ',')
	dst = append(appendShort(dst, l.Bath), ',')
	dst = append(appendDecimal(dst, l.AcreLot), ',')
	dst = append(appendDecimal(dst, l.Street), ',')
	dst = append(append(dst, l.City.Value...), ',')
	dst = append(append(dst, l.State.Value...), ',')
	dst = append(append(dst, l.ZipCode.Value...), ',')
	dst = append(appendDecimal(dst, l.HouseSize), ',')
	dst = append(dst, l.PrevSoldDate.Value...)
	return append(dst, '\n')
}

// appendDecimal writes 105000 as 105000.0.
func appendDecimal(dst []byte, v float64) []byte {
	if property.IsNull(v) {
		return dst
	}
	if v == float64(int64(v)) {
		return append(strconv.AppendInt(dst, int64(v), 10), '.', '0')
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

// appendShort writes 3 as 3.
func appendShort(dst []byte, v float64) []byte {
	if property.IsNull(v) {
		return dst
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}
