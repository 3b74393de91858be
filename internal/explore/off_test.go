//go:build !explore

package explore

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Without the tag the types are the standard library's: this compiles only so.
var (
	_ *sync.Mutex          = (*Mutex)(nil)
	_ *atomic.Bool         = (*Bool)(nil)
	_ *atomic.Int64        = (*Int64)(nil)
	_ *atomic.Uint32       = (*Uint32)(nil)
	_ *atomic.Uint64       = (*Uint64)(nil)
	_ *atomic.Pointer[int] = (*Pointer[int])(nil)
	_ *time.Timer          = (*Timer)(nil)
)

func TestWithoutTheTagAWaitIsTheCallersOwn(t *testing.T) {
	ready, done := make(chan struct{}), make(chan struct{})
	gotReady, gotDone := Wait(ready, done)
	require.Equal(t, (<-chan struct{})(ready), gotReady)
	require.Equal(t, (<-chan struct{})(done), gotDone)
}
