//go:build chaos

package chaos_test

import "testing"

// TestChaosImportOfAnMLflowServer kills an import at every place.
func TestChaosImportOfAnMLflowServer(t *testing.T) { testImportOfAnMLflowServer(t, mlflowPoints()) }
