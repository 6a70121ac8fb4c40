package dataset_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"tasador/pkg/dataset"
	"tasador/pkg/listingapi"
	"tasador/pkg/listinggen"
	"tasador/pkg/property"
)

const benchRows = 50_000

// payload is an answer of the data API with generated rows.
func payload(b *testing.B) []byte {
	b.Helper()
	var out bytes.Buffer
	out.WriteString(`{"data":[`)
	rows := listinggen.New(listinggen.Options{Seed: 1})
	for i := range benchRows {
		l, row := rows.Next(), map[string]any{}
		for _, c := range property.Fields() {
			switch {
			case c.Number != nil && !property.IsNull(*c.Number(&l)):
				row[c.Name] = *c.Number(&l)
			case c.Text != nil && c.Text(&l).Valid:
				row[c.Name] = c.Text(&l).Value
			default:
				row[c.Name] = nil
			}
		}
		text, err := json.Marshal(row)
		if err != nil {
			b.Fatal(err)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(text)
	}
	out.WriteString(`]}`)
	return out.Bytes()
}

// filled is a filter of so many rows that are not among those of the benchmark.
func filled(rows int) *dataset.SeenFilter {
	f := dataset.NewSeenFilter(nil)
	for i := range rows {
		f.Add(uint64(i) * 0x9e3779b97f4a7c15)
	}
	return f
}

// BenchmarkProfile reads a payload without and with its profile; the difference of ns/row is what the profile costs.
func BenchmarkProfile(b *testing.B) {
	text := payload(b)
	run := func(name string, begin func() *dataset.BackgroundProfiler) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p := begin()
				_, report, err := listingapi.DecodeRows(b.Context(), bytes.NewReader(text), func(row listingapi.Row) error {
					if p != nil {
						p.Add(&row.Listing, row.WrongTyped...)
					}
					return nil
				})
				if err != nil || report.Rows != benchRows {
					b.Fatal(err, report.Rows)
				}
				if p != nil {
					p.Wait()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
		})
	}
	run("decode", func() *dataset.BackgroundProfiler { return nil })
	run("decode+profile", func() *dataset.BackgroundProfiler { return dataset.NewProfiler(nil).InBackground() })
	for _, rows := range []int{100_000, 10_000_000} {
		earlier := filled(rows)
		run(fmt.Sprintf("decode+profile+seen/%d", rows), func() *dataset.BackgroundProfiler { return dataset.NewProfiler(earlier).InBackground() })
	}
}
