//go:build !unix

package row

import (
	"errors"
	"time"
)

func stopSelf(time.Duration) error { return errors.ErrUnsupported }
