package history

import (
	"testing"

	"go.uber.org/goleak"
)

// Users and checkers have all ended when the tests have.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
