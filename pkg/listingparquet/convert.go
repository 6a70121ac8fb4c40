package listingparquet

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tasador/pkg/property"
)

// kind is what a value is to a listing.
type kind int

const (
	unfit kind = iota // neither number nor text
	missing
	number
	text
)

// value is a converted value that is not NULL.
type value struct {
	is     kind
	number float64
	text   string
}

type convert func(parquet.Value) value

func misfit(parquet.Value) value { return value{} }

// converter returns how values of a type are read into a column.
func converter(t parquet.Type, name string) convert {
	var logical any
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DateType:
		return dates(name, func(v parquet.Value) time.Time { return time.Unix(int64(v.Int32())*secondsOfDay, 0) })
	case *format.TimestampType:
		return dates(name, func(v parquet.Value) time.Time { return instant(v.Int64(), l.Unit) })
	case *format.DecimalType:
		return numbers(name, decimal(t.Kind(), int(l.Scale)))
	case *format.IntType:
		if !l.IsSigned {
			return numbers(name, unsigned(t.Kind()))
		}
	case *format.Float16Type:
		return misfit // no reader of the library gives its number
	case *format.TimeType, *format.UUIDType, *format.BsonType, *format.VariantType, *format.GeometryType, *format.GeographyType:
		return misfit
	}
	switch t.Kind() {
	case parquet.Int32:
		return numbers(name, func(v parquet.Value) float64 { return float64(v.Int32()) })
	case parquet.Int64:
		return numbers(name, func(v parquet.Value) float64 { return float64(v.Int64()) })
	case parquet.Float:
		return numbers(name, func(v parquet.Value) float64 { return float64(v.Float()) })
	case parquet.Double:
		return numbers(name, parquet.Value.Double)
	case parquet.Int96:
		return dates(name, julian)
	case parquet.ByteArray:
		return readText
	default:
		return misfit // truth values, bytes of a fixed length
	}
}

// numbers reads numbers, and zip codes that came as numbers.
func numbers(name string, read func(parquet.Value) float64) convert {
	if name == property.ZipCode {
		return func(v parquet.Value) value {
			n := read(v)
			zip, ok := property.ZipCodeOf(n)
			switch {
			case math.IsNaN(n):
				return value{is: missing}
			case ok:
				return value{is: text, text: zip}
			}
			return value{}
		}
	}
	return func(v parquet.Value) value {
		n := read(v)
		switch {
		case math.IsNaN(n):
			return value{is: missing}
		case math.IsInf(n, 0): // JSON has no such number either
			return value{}
		}
		return value{is: number, number: n}
	}
}

func readText(v parquet.Value) value {
	b := v.ByteArray()
	if !utf8.Valid(b) {
		return value{}
	}
	return value{is: text, text: string(b)}
}

const secondsOfDay = 24 * 60 * 60

// dates reads instants as the texts that prev_sold_date has; no other column takes them.
func dates(name string, read func(parquet.Value) time.Time) convert {
	if name != property.PrevSoldDate {
		return misfit
	}
	return func(v parquet.Value) value {
		at := read(v).UTC()
		layout := "2006-01-02T15:04:05.999999999"
		if at.Equal(at.Truncate(24 * time.Hour)) {
			layout = time.DateOnly
		}
		return value{is: text, text: at.Format(layout)}
	}
}

// instant reads a timestamp; one without a time zone counts as UTC, as a text without an offset does.
func instant(n int64, unit format.TimeUnit) time.Time {
	switch unit.Value.(type) {
	case *format.MilliSeconds:
		return time.UnixMilli(n)
	case *format.MicroSeconds:
		return time.UnixMicro(n)
	default:
		const second = int64(time.Second)
		return time.Unix(n/second, n%second)
	}
}

// julian reads the timestamps of old writers: nanoseconds of the day, and its Julian day number (that of 1970-01-01 is 2440588).
func julian(v parquet.Value) time.Time {
	n := v.Int96()
	nanoseconds := int64(n[1])<<32 | int64(n[0])
	return time.Unix((int64(n[2])-2440588)*secondsOfDay, nanoseconds)
}

func unsigned(k parquet.Kind) func(parquet.Value) float64 {
	if k == parquet.Int32 {
		return func(v parquet.Value) float64 { return float64(v.Uint32()) }
	}
	return func(v parquet.Value) float64 { return float64(v.Uint64()) }
}

// decimal reads a whole number that stands for its 10^scale-th part as the nearest double.
func decimal(k parquet.Kind, scale int) func(parquet.Value) float64 {
	return func(v parquet.Value) float64 {
		whole := new(big.Int)
		switch k {
		case parquet.Int32:
			whole.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			whole.SetInt64(v.Int64())
		default:
			setSigned(whole, v.ByteArray())
		}
		// The decimal text goes through the one rounding that numbers of CSV and JSON go through.
		n, _ := strconv.ParseFloat(whole.String()+"e"+strconv.Itoa(-scale), 64) // infinite where it is too large
		return n
	}
}

// setSigned reads two's complement, the most significant byte first.
func setSigned(to *big.Int, b []byte) {
	if len(b) == 0 || b[0]&0x80 == 0 {
		to.SetBytes(b)
		return
	}
	inverse := slices.Clone(b)
	for i := range inverse {
		inverse[i] = ^inverse[i]
	}
	to.Not(to.SetBytes(inverse))
}
