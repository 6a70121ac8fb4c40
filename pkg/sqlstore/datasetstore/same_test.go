package datasetstore_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
)

// hostileListings hold what databases like to bend: numbers at the ends of double, texts that look like commands, differ in case or blanks
// only, or are no proper text.
func hostileListings(n int) []property.Listing {
	random := rand.New(rand.NewPCG(3, 4))
	numbers := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.0 / 3, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e-300, 1 << 53, 123456789.12345678, property.Null(),
	}
	statuses := []string{
		"sold", "Sold", "sold ", " sold", "SOLD", "sóld", "so\tld", "so\nld", `so\ld`, `so\N`, `\N`, "'; DROP TABLE train; --", "🏠", "NULL", "", "so\x00ld", "so\xffld",
	}
	number := func() float64 {
		if random.IntN(2) == 0 {
			return numbers[random.IntN(len(numbers))]
		}
		return math.Float64frombits(random.Uint64()&^(1<<62) | 1<<61) // any of moderate size
	}
	out := make([]property.Listing, n)
	for i := range out {
		out[i] = property.Listing{
			BrokeredBy: number(), Status: property.NewText(statuses[random.IntN(len(statuses))]), Price: number(), Bed: number(), Bath: number(), AcreLot: number(),
			Street: number(), City: property.NewText(strings.Repeat("ñ", random.IntN(300))), State: property.Text{}, ZipCode: property.NewText("00601"),
			HouseSize: number(), PrevSoldDate: property.NewText(fmt.Sprintf("20%02d-02-2%d", random.IntN(100), random.IntN(10))),
		}
		if i%11 == 0 {
			out[i].Status = property.Text{}
		}
	}
	out[n/2].City = property.NewText(strings.Repeat("long ", 50_000))
	return out
}

// TestEveryDatabaseGivesTheSameRowsToTheLastBit holds the engines against each other and against the listings that went in.
func TestEveryDatabaseGivesTheSameRowsToTheLastBit(t *testing.T) {
	const n = 3000
	rows := hostileListings(n)
	var first []string
	var columns []string
	for _, name := range []string{"sqlite", "mariadb", "postgres"} {
		t.Run(name, func(t *testing.T) {
			database := engines()[name]
			f := openURLs(t, database(t), database(t))
			f.collect(t, "manual__1", rows)
			f.made(t, "manual__1")
			var lines []string
			for _, split := range dataset.Splits() {
				names, clean := f.part(t, "manual__1", split)
				columns = names
				for _, row := range clean {
					var b strings.Builder
					for _, v := range row {
						fmt.Fprintf(&b, "%016x ", math.Float64bits(v))
					}
					lines = append(lines, b.String())
				}
			}
			require.Len(t, lines, n)
			if first == nil {
				first = lines
			}
			require.Equal(t, first, lines)
			require.Contains(t, columns, "status_so\uFFFDld", "NUL and what is not UTF-8 are one replacement character")

			var city string
			f.look(t, "raw", fmt.Sprintf("SELECT city FROM realtor_raw ORDER BY id LIMIT 1 OFFSET %d", n/2), &city)
			require.Equal(t, rows[n/2].City.Value, city)
		})
	}
}

// TestAServerThatForbidsLocalFilesIsLoadedByStatements turns the fast path of MySQL off, as MySQL 8 has it by default.
func TestAServerThatForbidsLocalFilesIsLoadedByStatements(t *testing.T) {
	server := testkit.MariaDB(t)
	server.Exec(t, "SET GLOBAL local_infile = 0")
	t.Cleanup(func() { server.Exec(t, "SET GLOBAL local_infile = 1") })
	f := openURLs(t, server.NewDatabase(t), server.NewDatabase(t))
	rows := hostileListings(2500)
	f.collect(t, "manual__1", rows)
	f.made(t, "manual__1")
	require.Equal(t, 2500, f.rawRows(t))
	var status string
	f.look(t, "raw", "SELECT status FROM realtor_raw WHERE status IS NOT NULL ORDER BY id LIMIT 1", &status)
	require.Equal(t, strings.NewReplacer("\x00", "\uFFFD", "\xff", "\uFFFD").Replace(rows[1].Status.Value), status)
	_, clean := f.part(t, "manual__1", dataset.Test)
	require.Len(t, clean, 500)
}
