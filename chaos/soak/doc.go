// Command soak does everything to a dozen pools at once, for as long as it is
// told to, and stops at the first sign that a promise is broken.
//
//	go run -race ./soak -for 10m
//	go run -race ./soak -for 1m -seed 7     # the same choices as another run with that seed
//
// Thousands of goroutines acquire, release, discard, hijack, lose and release
// twice; factories fail, hang, dawdle, panic and call Goexit; connections die
// while idle; pools are resized, retired, paused, warmed, sized by a Sizer and
// closed under load; the garbage collector and GOMAXPROCS are kept busy.
//
// Every ten seconds the load stops. When the pools have settled, what must hold
// of a pool at rest is checked (see quiet.go), and goroutines, file descriptors
// and memory are compared with what there was at the start. While the load runs,
// each connection watches that it has one user at a time.
//
// A seed settles every choice that a goroutine makes, not how the scheduler mixes
// them: a race may take several runs to come back. The exit status is 1 after a
// violation, with the state of the pools and all goroutines on standard error,
// and 66 if the race detector had something to say.
package main
