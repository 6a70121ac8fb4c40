package authstore_test

import (
	"os"
	"testing"

	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }
