//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pgtest

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock if nobody holds it. It does not block in the kernel,
// where a context could not reach it.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
