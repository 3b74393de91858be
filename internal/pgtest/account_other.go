//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package pgtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// chooseAccount is the first step of Start; here it is also the last.
func chooseAccount() (account, error) {
	return account{}, fmt.Errorf("pgtest: starting a server on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (account) attributes() *syscall.SysProcAttr { return nil }

func isOurs(fs.FileInfo) bool { return false }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
