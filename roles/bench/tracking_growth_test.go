//go:build bench

package bench_test

import "testing"

const growthSubject = "growth"

func measureGrowth(t *testing.T, bin string, db database, m *trackingMeasurement) {}
func (b *trackingBook) growthTable(t testing.TB, engine string)                   {}
func (b *trackingBook) growthLines(t testing.TB, engine string)                   {}
