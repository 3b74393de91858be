package pgtest

import (
	"context"
	"time"
)

// sleep waits for d, or until ctx ends, and then says why it ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
