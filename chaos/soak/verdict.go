package main

import "fmt"

// verdict holds the first violation.
type verdict struct{ found chan error }

func newVerdict() *verdict { return &verdict{make(chan error, 1)} }

// broken reports that a promise is broken. Only the first report counts: what
// follows is often its consequence.
func (v *verdict) broken(format string, args ...any) {
	select {
	case v.found <- fmt.Errorf(format, args...):
	default:
	}
}
