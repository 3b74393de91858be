package connpool

import "errors"

// Permanent marks an error of Connect that trying again does not mend: a wrong
// password, a database that does not exist, a certificate that is not trusted, a
// connection string that cannot be parsed. Callers that wait get the error at
// once, and the pool dials at intervals of minutes until a dial succeeds.
//
// The result has err's text and matches what err matches. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// isPermanent reports whether an error of Connect is marked. One whose As or Unwrap
// panics is not: it is asked on a goroutine of the pool's.
func isPermanent(err error) (marked bool) {
	defer func() { _ = recover() }()
	var permanent *permanentError
	return errors.As(err, &permanent)
}
