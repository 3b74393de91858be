//go:build !unix

package servertest

import (
	"errors"
	"syscall"
)

func unprivileged() *syscall.SysProcAttr { return nil }

func hand(string) error { return errors.ErrUnsupported }
