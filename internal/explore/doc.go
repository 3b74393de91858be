// Package explore runs a few threads of the pool's own code through every order
// in which their shared accesses can interleave, up to a bound, and prints the
// order in which something went wrong so that it can be had again.
//
// The rooms of the house declare what their goroutines share with the types of
// this package. Without the build tag explore these are other names for the types
// of sync and sync/atomic, and the functions do nothing: the program is the same
// as without this package. With the tag each access is a point where the
// explorer may let another thread go on instead.
//
//	go test -tags explore -run Explore ./...
//
// What the rooms start by themselves are threads too, goroutines (Go) and timers
// (AfterFunc): time stands still until one rings, and one may ring at any point.
// A scenario may have what leads up to it happen in one order (Rest), and end the
// preemptions once it has seen what it is about (Calm).
//
// The search is depth first, over all schedules with at most so many
// preemptions: switches away from a thread that could have gone on. Switches away
// from one that waits for a lock, or sleeps, are free. Nearly all known faults of
// concurrent programs need two preemptions or fewer. A schedule at the end of
// which threads are still asleep has lost a wake-up, and fails.
//
// What the explorer sees is sequentially consistent, which Go's atomics are. It
// does not see plain data: a race on that is the race detector's to find.
package explore
