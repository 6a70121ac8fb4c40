package experiment_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

// The expected texts are what Python 3.11's repr(float) prints.
func TestFormatFloatIsPythonsRepr(t *testing.T) {
	for want, v := range map[string]float64{
		"0.01": 0.01, "1.0": 1, "100.0": 100, "0.0": 0, "-0.0": math.Copysign(0, -1), "0.0001": 1e-4, "1e-05": 1e-5, "1.5e-07": 1.5e-7,
		"123456789012345.0": 123456789012345, "1000000000000000.0": 1e15, "1e+16": 1e16, "1.2345678901234567e+19": 1.2345678901234567e19,
		"0.1": 0.1, "0.30000000000000004": 0.30000000000000004, "-2.5": -2.5, "1.7976931348623157e+308": math.MaxFloat64, "5e-324": 5e-324,
		"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(),
	} {
		require.Equal(t, want, experiment.FormatFloat(v))
	}
}
