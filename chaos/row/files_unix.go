//go:build unix

package row

import (
	"os"
	"sync"
	"syscall"
)

// limitFiles lets this process open so many files more, until restore is called.
func limitFiles(more uint64) (restore func(), err error) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		return nil, err
	}
	tight := before
	tight.Cur = uint64(len(open)) + more
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }), nil
}
