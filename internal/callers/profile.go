package callers

import (
	"runtime"
	"runtime/pprof"
	"sync"
)

// Profile returns the process's pprof profile of borrowers, named "connpool":
// one stack for each lease that was added and has not ended, of all pools
// together. The first call creates it; a program that never adds one does not
// have it. If somebody else owns a profile of that name, the pools' stacks go
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

// Entry is one lease's entry in the profile. Its address is its key there.
type Entry struct {
	_ byte // so that each has an address of its own
}

// Add puts the calling goroutine's stack into the profile until Remove. A profile
// takes no stack but that of the goroutine that calls it, so Add belongs on the
// borrower's, before the lease is handed out. The record starts at the first
// frame outside the pool; otherwise every sample would be blamed on Acquire.
func Add() *Entry {
	var pcs [depth]uintptr
	n := runtime.Callers(1, pcs[:]) // 1: begin here, at Add
	e := new(Entry)
	// pprof counts its own method as the first frame, we count from Add.
	Profile().Add(e, 1+max(0, site(pcs[:n], recall)))
	return e
}

// Remove takes the entry out of the profile. It may be called from any
// goroutine; for a nil entry it does nothing.
func (e *Entry) Remove() {
	if e != nil {
		Profile().Remove(e)
	}
}
