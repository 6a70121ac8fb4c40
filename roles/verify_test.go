//go:build verify

package roles_test

import (
	"testing"

	"tasador/pkg/config"
)

// TestServingKeepsToItsDocumentLong makes many more requests than the test that always runs, and of a server that has no model yet, where 503 is right.
func TestServingKeepsToItsDocumentLong(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	schemathesis(t, s, 20, "--exclude-checks=not_a_server_error")
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	schemathesis(t, s, 200)
}

// TestTenThousandSwapsOverHTTP is TestSwapsUnderLoadOverHTTP at length.
func TestTenThousandSwapsOverHTTP(t *testing.T) { swapOverHTTP(t, 10_000) }
