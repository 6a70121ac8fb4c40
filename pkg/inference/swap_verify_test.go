//go:build verify

package inference_test

import "testing"

// TestTenThousandSwapsUnderLoad is TestSwapsUnderLoad at length.
func TestTenThousandSwapsUnderLoad(t *testing.T) { swapUnderLoad(t, 10_000) }
