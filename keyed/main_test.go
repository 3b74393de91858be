package keyed

import (
	"testing"

	"go.uber.org/goleak"
)

// A Pool that has been shut down leaves no goroutine behind, in no test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
