//go:build !linux

package pgtest

import (
	"errors"
	"fmt"
	"runtime"
)

// processes are always none here: listing them takes /proc as Linux has it.
type processes struct{}

func freeze(int) (processes, error) { return processes{}, errNoTree() }
func resume(int) error              { return errNoTree() }

func (processes) kill()            {}
func (processes) awaitGone() error { return nil }

func errNoTree() error {
	return fmt.Errorf("finding the server's processes on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
