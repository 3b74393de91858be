// Package callers remembers who borrowed what, in the cheapest form that can
// still be read later.
//
// A pool that runs short captures the call stack of whoever borrows: program
// counters only, a third of a microsecond, and no allocation where somebody has
// borrowed by the same way before. Nothing becomes text until somebody asks,
// which for most leases is never. Asked, the package answers with the place that
// matters to a reader: not the pool's own frames on top of every such stack, but
// the first frame of the code that called the pool.
//
//	stack.go    Stack: capture, and the two texts
//	intern.go   one Stack for all who borrow by the same way
//	frame.go    which frames belong to the pool, and how one is printed
//	group.go    many leases by call site, for a table of holders
//	profile.go  the process's "connpool" pprof profile
package callers

import (
	"runtime"
	"strings"
)

// depth is how many frames a Stack keeps. The pool takes six or seven of them,
// database/sql ten more, and a mapper on top of that as many again before the
// program's own begin.
const depth = 32

// Stack is where a goroutine stood when it borrowed. A nil *Stack is valid and
// stands for a borrower that was not captured.
//
// It never changes after Capture, so it may be read by many goroutines.
type Stack struct {
	pcs [depth]uintptr // return addresses, innermost first; n of them
	n   int
}

// Capture records the stack of the calling goroutine. With skip 0 it begins at
// the function that calls Capture, with 1 at that one's caller, and so on. It
// looks up no names. Captures of one stack are mostly one *Stack.
//
// The pool's own frames need no skipping, they are left out when a Stack is
// read; skipping them makes room for more of the borrower's.
func Capture(skip int) *Stack {
	var s Stack
	s.n = runtime.Callers(skip+2, s.pcs[:]) // 2: runtime.Callers and Capture
	return intern(&s)
}

// Caller names in one line the first frame of the program, and what it called if
// that was not the pool itself, like
//
//	main.(*Server).upload (upload.go:88)
//	main.transfer (bank.go:41) via callbacks.Query (query.go:19)
//
// Where no frame is of the main module it names the first outside of the standard
// library. A stack that lies wholly inside the pool gives its outermost frame, a
// nil or empty one the empty string.
func (s *Stack) Caller() string {
	blame, site := s.place()
	switch {
	case site == (frame{}):
		return ""
	case site == blame:
		return site.short()
	}
	return blame.short() + " via " + site.short()
}

// Text is the stack from the first frame outside the pool outwards: two lines a
// frame, the function's full name, then a tab and its file and line. The frames
// of the runtime, which start every goroutine, are left out. There is no
// newline at the end.
func (s *Stack) Text() string {
	var lines []string
	for _, pc := range s.fromSite() {
		if f := resolve(pc); f.side != inRuntime {
			lines = append(lines, f.long())
		}
	}
	return strings.Join(lines, "\n")
}

// counters returns what was captured; nothing for a nil Stack.
func (s *Stack) counters() []uintptr {
	if s == nil {
		return nil
	}
	return s.pcs[:s.n]
}

// place returns the frame that Caller names first, and that of the call site;
// zero frames for a Stack that has none.
func (s *Stack) place() (blame, site frame) {
	pcs := s.fromSite()
	if len(pcs) == 0 {
		return frame{}, frame{}
	}
	return recall(pcs[blamed(pcs, recall)]), recall(pcs[0])
}

// fromSite returns the counters from the call site outwards; none if there is no
// call site.
func (s *Stack) fromSite() []uintptr {
	pcs := s.counters()
	if i := site(pcs, recall); i >= 0 {
		return pcs[i:]
	}
	return nil
}
