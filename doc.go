// Package connpool is a pool of connections, or of anything else that is expensive
// to open: generic, in-process, bounded and fair.
//
//	pool, err := connpool.New(connpool.Config[*session]{
//		Name:    "orders",
//		Connect: func(ctx context.Context) (*session, error) { return dial(ctx, addr) },
//		MaxSize: 16,
//	})
//	if err != nil {
//		return err
//	}
//	defer pool.Close()
//
//	err = pool.Do(ctx, func(ctx context.Context, s *session) error {
//		return s.transfer(ctx, from, to)
//	})
//
// Do ends the lease by the error of the work: a connection that is broken, that the
// context's end has cut off in the middle of a reply, or that the work has left by
// a panic, is closed and not lent again. Where a lease is to last for longer than a
// function literal, End does the same:
//
//	lease, err := pool.Acquire(ctx)
//	if err != nil {
//		return err
//	}
//	defer lease.End(&err) // err is the function's result
//	return transfer(ctx, lease.Conn(), from, to)
//
// Release says that the connection is as good as new. For a protocol on a bare
// net.Conn it is the wrong end after a timeout: the reply that came too late would
// be the next borrower's. Package netconn knows of deadlines and of unread replies;
// pgxconn pools pgx's connections, sqlconn those of any database/sql driver, and
// keyed keeps a pool for each address or tenant. connpooltest tries a Config
// before a service relies on it.
//
// # What it promises
//
//   - Never more than MaxSize connections, those being opened, checked and closed
//     included.
//   - Callers that wait are served in the order they came, and each returned or
//     new connection goes to the first of them. Nothing is polled.
//   - A lease ends once. Ending it again, or using it afterwards, cannot touch the
//     next user's connection, and a lease that is dropped can be found.
//   - A callback that panics, hangs or calls runtime.Goexit costs the connection
//     that it was about, and never a slot.
//   - A dial outlives the caller that asked for it. A cold pool opens a few at a
//     time, and a dead server gets one prober.
//   - A connection is checked before it is lent, given a Check, if it has been idle
//     for a while, if another one has been found dead, or if the machine has been
//     seen to stand still.
//   - An error says who holds what, or why the server cannot be reached, and a
//     full pool, a closed one and a dead server are told apart.
//   - An acquire and release that find an idle connection take no lock, read no
//     clock and allocate nothing, unless Alive, Prepare, Reset, Clean, MinIdle,
//     MaxIdle, MaxUses, FIFO, Trace or captured stacks ask for it; a pool at rest
//     wakes nothing.
//
// What a lease protects goes through Lease.Conn. A connection that is saved in a
// variable and used after the lease has ended is beyond any pool. A Hijack or an
// abandoned callback may leave a connection open that the pool no longer counts.
//
// # Concurrency
//
// All methods of Pool, Lease and Budget may be called from any goroutine at any
// time, from callbacks too. No callback runs under a lock of the pool.
package connpool

// How it works inside, for those who change it.
//
// A connection sits in a slot, and a slot is a number. One word a slot decides
// everything (internal/slot): its turn, its state, and flags. To lend, check or
// close a slot is to win the compare-and-swap on its word.
//
//	          dial           published
//	empty ---------> opening ----------> idle <--------------+
//	  ^                 |               /  |  \              |
//	  | failed          |        lent  /   |   \ due         | proved
//	  +-----------------+             v    |    v            |
//	  |                 |         leased   |   checking -----+
//	  | closed          | marked      |    |      |          |
//	  |                 v             |    v      | failed   |
//	  +-------------- closing <-------+----+------+          |
//	                    ^             | ended                |
//	                    | not clean   v                      |
//	                    +--------- resetting ----------------+
//
// Lists of numbers only hint where to look. The idle list (internal/idle) is a
// lock-free stack with a few cells in front, or with FIFO a queue. A slot that is
// popped and has to be checked first moves to a second list, due, because on top of
// the stack it would hide a good one below. A slot may be lent, checked or closed
// where it lies: the number's popper finds out from the word. So a goroutine that
// borrows again and again finds the same slot in its cell, and an acquire and its
// release are two compare-and-swaps of one word, 10 ns, where moving the number out
// and back would make them four, 18 ns. A slot that is closed where it lies is
// opened again where it lies, with its number still listed, so no list is searched.
//
// Rare conditions mark words. Close, Retire, Resize and the sweep set a flag in
// every word that is not empty, whatever the slot is doing; the plain
// compare-and-swap of a release or of a dial that ends then fails and looks.
// Nothing is tested first and published afterwards.
//
// The gate is one word, mostly read, that says whether anything is out of the
// ordinary: the pool is closed or paused, somebody waits, stacks are wanted.
// Acquire loads it before it looks for a slot; Release loads it after its slot is
// idle and listed.
//
// Callers that wait stand in one queue (internal/waitq), and one function, serve,
// brings them together with what is idle. What is not idle may be dialled: one
// function, grow, is the dial rule, and internal/pace says how fast. A dial's
// result is published as idle and then served like any other, and not handed to a
// waiter: one way in is easier to get right than two.
//
// The common path writes down neither time nor counts. A sweep looks at every
// slot now and then, and what has not moved since the last time has been idle, or
// leased, all the while. Leases are counted by the turns of the words.
//
// A caller that ends a lease of microseconds while others wait gives way to them
// (pressure.go), which strict order alone does not ask for: without it, 32
// goroutines on 8 connections wait at each borrow, 1.6 µs, and with it at one in a
// million, 5 ns.
//
// Two locks exist beside the words: the queue's, and the pool's, which guards how
// many slots are open.
//
// What the parts share is of internal/explore's types: the standard library's,
// except in a test run with the tag explore, where every access to them is a
// point at which another goroutine may go on. So the seams between the parts,
// numbered in comments, are run through in every order with few preemptions, and
// so are mutants of them, each of which has to be found out.
//
// To read it: pool.go and lease.go are the common path; borrow.go is an acquire
// off it, serve.go where waiting and releasing meet, pressure.go what a shortage
// brings with it, dial.go how slots open, outage.go what becomes of callers while
// none can, close.go how they empty. health.go decides whether a slot is fit to be
// lent and sweep.go what has become of the others. resize.go, warm.go, budget.go
// and autosize.go move the limits; leak.go, stats.go, metrics.go and errors.go tell
// about it all, ready.go and settled.go answer questions; sizing.go and sizer.go say
// how many there should be.
