package pgtest

import (
	"context"
	"fmt"
	"os"
	"time"
)

// lockEvery is how often a held lock is tried again. The holder runs initdb,
// which takes about a second.
const lockEvery = 20 * time.Millisecond

// lock waits until this caller alone, among all processes and goroutines, holds
// the lock file. The kernel gives it up when the holder dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgtest: opening the template's lock: %w", err)
	}
	for {
		held, err := tryLock(file)
		if held {
			return func() { _ = file.Close() }, nil
		}
		if err == nil {
			err = sleep(ctx, lockEvery)
		}
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("pgtest: waiting for %s: %w", path, err)
		}
	}
}
