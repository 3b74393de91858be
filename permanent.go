package connpool

import "errors"

// Permanent marks an error of Connect that trying again does not mend: a wrong
// password, a database that does not exist, a certificate that is not trusted, a
// connection string that cannot be parsed. Unless a connection is open that may
// come back to them, callers get the error at once, whatever DownAfter is, and so
// does Warm.
//
// The pool then dials at growing intervals, from some 10 s up to 5 min, however
// many callers come: five to ten logins in the first quarter of an hour, and three
// to six in each that follows. Servers that lock accounts after failed logins do so
// after some five to ten within such a time. Once the password is corrected, the
// service works again within 5 min; Retire has the next dial tried at once.
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
