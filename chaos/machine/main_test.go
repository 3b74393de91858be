package machine

import (
	"testing"

	"go.uber.org/goleak"
)

// Each check runs in a bubble that must be empty when it ends, and nothing is
// left behind outside either.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
