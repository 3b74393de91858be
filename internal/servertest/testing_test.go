package servertest

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var errMissing = fmt.Errorf("%w: redis-server (apt-get install redis-server)", ErrNotInstalled)

func TestAMissingServerSkipsTheTest(t *testing.T) {
	t.Setenv("CI", "")
	tb := &recorder{}
	require.Nil(t, adopt(tb, "Redis", nil, errMissing))
	require.Contains(t, tb.skipped, "apt-get install redis-server")
	require.Empty(t, tb.failed)
}

func TestAMissingServerFailsTheTestInCI(t *testing.T) {
	t.Setenv("CI", "true")
	tb := &recorder{}
	require.Nil(t, adopt(tb, "Redis", nil, errMissing))
	require.Contains(t, tb.failed, "apt-get install redis-server")
	require.Empty(t, tb.skipped)
}

func TestAnUnknownSystemSkipsEvenInCI(t *testing.T) {
	t.Setenv("CI", "true")
	require.True(t, maySkip(fmt.Errorf("wrapped: %w", errors.ErrUnsupported)))
	require.False(t, maySkip(errors.New("anything else")))
}

func TestTheServerOfATestStopsWithIt(t *testing.T) {
	NewRedis(t) // skips this test where a server cannot be had
	tb := &recorder{}
	s := NewRedis(tb)
	require.NotNil(t, s)
	for _, cleanup := range tb.cleanups {
		cleanup()
	}
	_, err := net.Dial("tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Empty(t, tb.failed)
}

// A recorder is a TB that notes what is asked of it. Unlike a test it goes on
// after Skipf and Fatalf.
type recorder struct {
	skipped, failed string
	cleanups        []func()
}

func (*recorder) Helper()                             {}
func (r *recorder) Skipf(format string, args ...any)  { r.skipped += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.failed += fmt.Sprintf(format, args...) }
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
