// Package listingparquet reads listings from Parquet files, a few rows of each column at a time.
//
// Columns are found by name; unknown ones are not read. A value whose type does not fit its column becomes NULL and is reported, by the
// rules of the data API: a column of numbers takes whole, floating and decimal numbers, a column of texts takes UTF-8, zip_code takes
// numbers too. Beyond JSON, NaN is a missing number, and prev_sold_date takes dates and timestamps. Lists and groups fit nowhere.
package listingparquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

const (
	bufferSize = 1 << 20 // bytes of a column that are fetched at once
	batchRows  = 1024    // rows that are decoded at once
	maxText    = 1 << 20 // bytes that a text may have, as the data API has it
)

const damaged = "the file is damaged"

// Reader is an open file.
type Reader struct {
	file    *parquet.File
	source  *keeper
	columns []column
}

// column is a known column of the file.
type column struct {
	name string
	to   property.Field
	leaf int // place among the columns of values; -1 for a list or a group, which fits nowhere
	read convert
}

// NewReader reads what the file says about itself. Codes: Invalid if it is no Parquet file.
func NewReader(r io.ReaderAt, size int64) (rd *Reader, err error) {
	defer recovered(&err)
	source := &keeper{r: r}
	file, err := parquet.OpenFile(source, size, parquet.ReadBufferSize(bufferSize), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, source.explain(err, "it is no Parquet file, or not a whole one")
	}
	rd = &Reader{file: file, source: source}
	known := property.Fields()
	for _, c := range file.Root().Columns() {
		i := slices.IndexFunc(known[:], func(f property.Field) bool { return f.Name == c.Name() })
		if i < 0 || slices.Contains(rd.Columns(), c.Name()) {
			continue
		}
		next := column{name: c.Name(), to: known[i], leaf: -1, read: misfit}
		if c.Leaf() && c.MaxRepetitionLevel() == 0 {
			next.leaf, next.read = c.Index(), converter(c.Type(), c.Name())
		}
		rd.columns = append(rd.columns, next)
	}
	return rd, rd.checkCompression()
}

// checkCompression refuses LZ4: the library gives other values than the file has, without an error.
func (rd *Reader) checkCompression() error {
	for _, group := range rd.file.Metadata().RowGroups {
		for _, c := range rd.columns {
			if c.leaf < 0 || c.leaf >= len(group.Columns) {
				continue
			}
			if codec := group.Columns[c.leaf].MetaData.Codec; codec == format.Lz4Raw || codec == format.Lz4 {
				return apperror.New(apperror.Invalid, "column %s is compressed with LZ4, which is not supported; write the file with Zstandard, Snappy or gzip", c.name)
			}
		}
	}
	return nil
}

// Columns returns the known columns of the file, in its order.
func (rd *Reader) Columns() []string {
	names := make([]string, len(rd.columns))
	for i, c := range rd.columns {
		names[i] = c.name
	}
	return names
}

// Rows returns how many rows the file has.
func (rd *Reader) Rows() int { return int(rd.file.NumRows()) }

// Each calls fn with every row from skip on (0 is the first) and the columns in which its value had the wrong type, valid until fn
// returns. It returns the first error: of the file (Invalid), of fn, or of ctx.
func (rd *Reader) Each(ctx context.Context, skip int, fn func(l property.Listing, wrongTyped []string) error) (err error) {
	row := 0
	for _, group := range rd.file.RowGroups() {
		n := int(group.NumRows())
		if skip >= n {
			skip, row = skip-n, row+n
			continue
		}
		if err := rd.eachOf(ctx, group, row, skip, fn); err != nil {
			return err
		}
		skip, row = 0, row+n
	}
	return nil
}

// eachOf is Each for one group, whose first row is the given one of the file.
func (rd *Reader) eachOf(ctx context.Context, group parquet.RowGroup, first, skip int, fn func(property.Listing, []string) error) error {
	b, err := rd.open(group, skip)
	if err != nil {
		return err
	}
	defer b.close()
	var wrong []string
	for at, n := skip, int(group.NumRows()); at < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(batchRows, n-at)
		if err := b.fill(rows); err != nil {
			return err
		}
		for i := range rows {
			var l property.Listing
			if l, wrong, err = rd.listing(b, i, wrong[:0]); err != nil {
				return apperror.New(apperror.Invalid, "row %d: %v", first+at+i+1, err)
			}
			if err := fn(l, wrong); err != nil {
				return err
			}
		}
		at += rows
	}
	return nil
}

// listing makes row i of a batch a listing, and appends the columns of the wrong type to wrong.
func (rd *Reader) listing(b *batch, i int, wrong []string) (property.Listing, []string, error) {
	null := property.Null()
	l := property.Listing{BrokeredBy: null, Price: null, Bed: null, Bath: null, AcreLot: null, Street: null, HouseSize: null}
	for c := range rd.columns {
		column := &rd.columns[c]
		var v parquet.Value
		if column.leaf >= 0 {
			if v = b.values[c][i]; v.IsNull() {
				continue
			}
		}
		got := column.read(v)
		switch {
		case column.to.Number != nil && got.is == number:
			*column.to.Number(&l) = got.number
		case column.to.Text != nil && got.is == text && len(got.text) > maxText:
			return l, nil, fmt.Errorf("%s holds a text longer than %d bytes", column.name, maxText)
		case column.to.Text != nil && got.is == text:
			*column.to.Text(&l) = property.NewText(got.text)
		case got.is != missing:
			wrong = append(wrong, column.name)
		}
	}
	return l, wrong, nil
}

// batch holds some rows of one group, column by column.
type batch struct {
	source  *keeper
	readers []parquet.ColumnChunkValueReader // nil for what fits nowhere
	values  [][]parquet.Value
}

func (rd *Reader) open(group parquet.RowGroup, skip int) (b *batch, err error) {
	b = &batch{source: rd.source}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	defer recovered(&err)
	chunks := group.ColumnChunks()
	for _, c := range rd.columns {
		var r parquet.ColumnChunkValueReader
		if c.leaf >= 0 {
			r = parquet.NewColumnChunkValueReader(chunks[c.leaf])
		}
		b.readers = append(b.readers, r)
		b.values = append(b.values, make([]parquet.Value, batchRows))
		if r != nil && skip > 0 {
			if err := r.SeekToRow(int64(skip)); err != nil {
				return b, b.source.explain(err, damaged)
			}
		}
	}
	return b, nil
}

// fill reads the next rows of every column.
func (b *batch) fill(rows int) (err error) {
	defer recovered(&err)
	for c, r := range b.readers {
		if r == nil {
			continue
		}
		for n := 0; n < rows; {
			read, err := r.ReadValues(b.values[c][n:rows])
			n += read
			switch {
			case n == rows:
			case errors.Is(err, io.EOF) || err == nil && read == 0:
				return apperror.New(apperror.Invalid, damaged+": a column has fewer values than there are rows")
			case err != nil:
				return b.source.explain(err, damaged)
			}
		}
	}
	return nil
}

func (b *batch) close() {
	for _, r := range b.readers {
		if r != nil {
			_ = r.Close() // it was only read
		}
	}
}
