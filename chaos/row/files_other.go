//go:build !unix

package row

import "errors"

func limitFiles(uint64) (func(), error) { return nil, errors.ErrUnsupported }
