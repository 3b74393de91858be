package sqlconn_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A handle that has been closed leaves no goroutine behind, in no test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
