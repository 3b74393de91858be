package callers

import (
	"runtime"
	"runtime/pprof"
	"sync"
)

// Profile returns the process's pprof profile of borrowers, named "connpool":
// one stack for each captured lease that has not ended, of all pools together.
// The first call creates it; a program that never captures a stack does not
// have one. If somebody else owns a profile of that name, the pools' stacks go
// into theirs.
func Profile() *pprof.Profile { return profile() }

var profile = sync.OnceValue(func() *pprof.Profile { return claim("connpool") })

// claim finds the profile of that name or creates it.
func claim(name string) *pprof.Profile {
	if p := pprof.Lookup(name); p != nil {
		return p
	}
	return create(name)
}

// create makes a profile. Names cannot be reserved: another package, or a second
// copy of this one, may take it between our look and our call, and NewProfile
// then panics. A profile is never deleted, so the one that won is there to find.
func create(name string) (p *pprof.Profile) {
	defer func() {
		if recover() != nil {
			p = pprof.Lookup(name)
		}
	}()
	return pprof.NewProfile(name)
}

// Add puts a stack into the profile until Remove. A profile records the stack of
// the goroutine that calls it and takes no other, so Add belongs on the
// borrower's goroutine, soon after Capture, before the lease is handed out. The
// record starts at the first frame outside the pool; otherwise every sample
// would be blamed on Acquire.
//
// Adding a stack that is there already, or nil, does nothing.
func Add(s *Stack) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.listed { // a second Add would panic inside pprof
		return
	}
	var pcs [depth]uintptr
	n := runtime.Callers(1, pcs[:]) // 1: begin here, at Add
	// pprof counts its own method as the first frame, we count from Add.
	Profile().Add(s, 1+max(0, site(pcs[:n], recall)))
	s.mu.listed = true
}

// Remove takes a stack out of the profile. It may be called from any goroutine;
// for a stack that is not there, or nil, it does nothing.
func Remove(s *Stack) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.listed {
		Profile().Remove(s)
		s.mu.listed = false
	}
}
