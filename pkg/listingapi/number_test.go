package listingapi_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tasador/pkg/listingapi"
	"tasador/pkg/property"
)

// Every way to write a number gives the double that strconv gives, to the bit, also where the payload comes in single bytes.
func TestNumbersAreTheNearestDoubles(t *testing.T) {
	literals := []string{
		"0", "-0", "0.0", "-0.0", "1", "-1.5", "0.1", "123456789012345", "1234567890123456", "999999999999999", "9007199254740993",
		"0.123456789012345", "0.00000000000001", "12345678.9012345", "1e5", "-1.25E-3", "1.7976931348623157e308", "5e-324", "179769313486231570000000",
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		digits := strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
		if at := random.IntN(len(digits) + 1); at > 0 && at < len(digits) {
			digits = digits[:at] + "." + digits[at:]
		}
		if random.IntN(4) == 0 {
			digits = "-" + digits
		}
		literals = append(literals, digits)
	}
	payload := fmt.Sprintf(`[{"price": %s}]`, strings.Join(literals, `}, {"price": `))
	var got []float64
	_, report, err := listingapi.Decode(t.Context(), iotest.OneByteReader(strings.NewReader(payload)), func(l property.Listing) error {
		got = append(got, l.Price)
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, report.Invalid)
	require.Len(t, got, len(literals))
	for i, literal := range literals {
		want, err := strconv.ParseFloat(literal, 64)
		require.NoError(t, err)
		require.Equal(t, math.Float64bits(want), math.Float64bits(got[i]), literal)
	}
}
