// Package machine tests a whole pool as a state machine: users, operators and the
// server do things at random, in a bubble whose time is the test's own, and after
// every step, when everything has come to rest, the pool is compared with the
// books that the test keeps beside it.
//
// It does so to one pool, and to two or three that share a Budget; and in a smaller
// machine, outside the bubble, leases are dropped and collected.
//
// Users acquire with all sorts of deadlines or none, try, take what is idle, use
// Do, cancel, release, discard, hijack, keep long, and end and use leases that
// have ended. Operators resize, retire, pause, resume, warm, close and shut down, and
// a Sizer decides anything at all, at once or while a Resize goes by.
// The server goes down and comes back, connections die while idle, and each of
// the callbacks Connect, Close, Check, Reset, Prepare, Clean, Alive and IsBad
// fails, dawdles, hangs, panics or exits when it is told to. Time passes in
// moments and in lifetimes. Some steps do several things at once, the next begun
// before the last has had any effect. At the end all is made well, and the pool
// must lend as many connections as it may, and close every one of them.
//
// # How to run it
//
//	go test ./machine -rapid.checks=20000 -rapid.steps=100
//	go test -race ./machine -rapid.checks=3000 -rapid.steps=100
//
// RAPID_CHECKS and RAPID_STEPS in the environment do the same for packages that
// do not know the flags. A failure prints its seed and leaves a file:
//
//	go test ./machine -run TestAPoolKeepsItsPromises -rapid.failfile=testdata/rapid/...
//	go test ./machine -run TestAPoolKeepsItsPromises -rapid.seed=N
//
// with the same -rapid.steps as before; -rapid.v prints every step. The pool draws
// its pauses after failed dials, and lifetimes where they vary, from a generator
// that no seed reaches, and the scheduler orders what happens in one instant: a
// failure that depends on those is reported as flaky, with what went wrong. Run
// its seed with -count=100. A pool that panics on a goroutine of its own ends the
// process before the seed is printed; -rapid.log prints steps as they are drawn.
//
// # What is checked, and where
//
// The numbers are those of the list of invariants that the pool was designed by.
//
//	 1  slots add up, in disjoint sets       everySlotIsAccountedFor
//	 2  never more than the limit            beginDial, at each dial; neverMoreThanTheLimit
//	 3  of a shrink, the surplus is paid     neverMoreThanTheLimit
//	 4  one lease a connection               take, judgeLocked, beginClose, leasesHold
//	 5  closed once, and everything is       beginClose, everySlotIsAccountedFor, finish
//	 6  what is lent is open                 judgeLocked, leasesHold, beginClose
//	 7  who waits has a reason to            waitersAreServed, dialled
//	 8  first come, first served             inOrder
//	 9  counters agree with what happened    countersAgree
//	10  nothing retired is lent              judgeLocked, onlyGoodOnesStay
//	11  closed is closed                     beginDial, judgePending, judgeShutdown, onlyGoodOnesStay; the bubble
//	12  a context that ends ends the wait    judgePending, judgeWait: to the nanosecond
//	13  a lease ends once                    endAgain, useAgain, countersAgree
//	14  dials in bounds, pauses kept         beginDial
//	15  not too old, not poisoned, checked   judgeLocked, onlyGoodOnesStay
//	16  minimums kept, MaxIdle kept          minimumsAreKept
//	17  one snapshot adds up                 reenter, from within callbacks; everySlotIsAccountedFor
//	18  closed is unreachable                not here, but in the pool's own TestAClosedConnectionIsLetGo
//
// Of a Budget:
//
//	never more open than there are units    beginDial, at each dial; fleet.look
//	a unit is never lost                    dialled, lendAll, useAll
//	what is owed to a pool is given         owedIsGiven, keepers
//	a pool without a unit is not out        judgeDown
//
// Of a Sizer and of lost leases:
//
//	the limit is within its bounds          endSizing, beginSizing, neverMoreThanTheLimit
//	a Resize that has returned is in force  the same
//	a sample is of what is in force         beginSizing
//	a lost lease's connection closes once   losing.collect
//	and is counted and told once            losing.nothingElseIsLost, losing.collect
//	no other lease is taken for lost        losing.look
//
// Beyond the list: nobody is failed for the server before DownAfter (judgeDown),
// nothing is served in a pause (pausedMeansPaused), leaks are reported once
// (leaksAreReported), Holders is complete (holdersAreComplete), errors have a
// reason (judgeError).
//
// What cannot be seen from outside, or only in part:
//
//   - 3: the debt itself. Seen is that what is open only shrinks while it is above
//     the limit, and that nothing is idle or lent again meanwhile.
//   - 7, 14: how wide the window for dials is, and how long the pause that was
//     drawn. Assumed is the least the one and the most the other may be; so a pool
//     that dials more slowly than it should, within those, passes.
//   - 8: who joined first among those who began in one step; and where a connection
//     was rejected in a step, its order is not judged.
//   - 10, 11: what begins in the very instant of a Retire or Close may have been
//     decided on before it.
//   - 16: what comes back while somebody waits may stay above MaxIdle, because it
//     may have been meant for him.
//   - 18: whether memory is let go is the garbage collector's to say, and that does
//     not live in the bubble.
//   - Lost leases: clean-ups run outside of every bubble, where they must not touch
//     the channels and timers of a pool in one. With ReclaimLost, the pool in the
//     bubble loses no lease; the smaller machine does, in real time. It waits for what
//     must happen and judges no time. It has a waiter, and none of the other
//     callbacks, deadlines and operators.
//   - A Budget: that a connection goes to the pool that waits although its own
//     callers give up in that moment depends on the order of single steps, which only
//     the explorer drives. Whose turn it is among several pools that wait is not
//     judged, only that what is idle does not stay so.
package machine
