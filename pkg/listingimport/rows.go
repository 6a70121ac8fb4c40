package listingimport

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"sync/atomic"

	"tasador/pkg/apperror"
	"tasador/pkg/listingcsv"
	"tasador/pkg/listingparquet"
	"tasador/pkg/property"
)

// Format is that of a file.
type Format string

// The formats. A CSV file may be compressed with gzip.
const (
	CSV     Format = "CSV"
	Parquet Format = "Parquet"
)

// rows are the rows of an open file.
type rows struct {
	columns []string // known ones
	// each calls fn with every row from skip on and the columns in which its value had the wrong type, valid until fn returns.
	each func(ctx context.Context, skip int, fn func(l property.Listing, wrongTyped []string) error) error
	// done tells how much of total is read.
	done  func() int64
	total int64
	close func() error
}

func rowsOf(b *blob, format Format) (*rows, error) {
	if format == Parquet {
		return parquetRows(b)
	}
	return csvRows(b)
}

func parquetRows(b *blob) (*rows, error) {
	rd, err := listingparquet.NewReader(b, b.size)
	if err != nil {
		return nil, err
	}
	var done atomic.Int64
	return &rows{
		columns: rd.Columns(), total: int64(rd.Rows()), done: done.Load, close: func() error { return nil },
		each: func(ctx context.Context, skip int, fn func(property.Listing, []string) error) error {
			done.Store(int64(skip))
			return rd.Each(ctx, skip, func(l property.Listing, wrong []string) error {
				done.Add(1)
				return fn(l, wrong)
			})
		},
	}, nil
}

// counter counts the bytes that are read.
type counter struct {
	r    io.Reader
	done atomic.Int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done.Add(int64(n))
	return n, err
}

// gzipMagic begins every file of gzip, and no text.
var gzipMagic = []byte{0x1f, 0x8b}

// csvRows reads a CSV file from its start, also to go on in the middle: where a row begins is known only once it is reached.
func csvRows(b *blob) (_ *rows, err error) {
	file := b.reader()
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	count := &counter{r: file}
	buffered := bufio.NewReaderSize(count, 1<<16)
	var text io.Reader = buffered
	if start, _ := buffered.Peek(len(gzipMagic)); bytes.Equal(start, gzipMagic) { // what is wrong shows when it is read
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, apperror.Wrap(apperror.Invalid, err, "it begins like a gzip file and is none")
		}
		text = zipped{unzipped}
	}
	rd, err := listingcsv.NewReader(text, listingcsv.Options{})
	if err != nil {
		return nil, err
	}
	return &rows{
		columns: rd.Columns(), total: b.size, done: count.done.Load, close: file.Close,
		each: func(ctx context.Context, skip int, fn func(property.Listing, []string) error) error {
			return listingcsv.Each(ctx, rd, func() *csvBatch { return &csvBatch{} }, func(batch *csvBatch) error {
				from := min(skip, len(batch.listings))
				skip -= from
				for i := from; i < len(batch.listings); i++ {
					if err := fn(batch.listings[i], batch.wrong[i]); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}, nil
}

// zipped tells a gzip file that is damaged from one that cannot be read.
type zipped struct{ *gzip.Reader }

// Read implements io.Reader.
func (z zipped) Read(p []byte) (int, error) {
	n, err := z.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		err = apperror.New(apperror.Invalid, "the gzip file is damaged or cut off: %v", err) // not wrapped, for io.ReadFull's callers take one of them for an end
	}
	return n, err
}

// csvBatch collects whole listings, and what could not be read of them.
type csvBatch struct {
	listings []property.Listing
	wrong    [][]string // nil for most
}

// Add implements listingcsv.Batch.
func (b *csvBatch) Add(r *listingcsv.Record) {
	b.listings = append(b.listings, r.Listing())
	b.wrong = append(b.wrong, r.WrongTyped())
}

// Reset implements listingcsv.Batch.
func (b *csvBatch) Reset() { b.listings, b.wrong = b.listings[:0], b.wrong[:0] }
