// Package history records what a pool does under real concurrency, many users on
// few connections while the number of threads changes, and asks of each history
// whether a correct pool could have done it: whether its operations can be put
// into an order that agrees with what was over before what began
// (linearizability), and in which
//
//   - each connection has one owner at a time (ownership, in model_test.go),
//   - no more are lent than may be (occupancy, there too), and
//   - whoever joined the queue first is served first (fifo, in order_test.go,
//     which says from which events the order is known).
//
// Times are ticks of one atomic counter, so "over before" is what every processor
// agrees on. Each history is short and ends with nothing lent, so that the next
// can be judged by itself and the checker answers in milliseconds; one that it
// cannot judge in time fails the test.
//
// A pool that is broken on purpose, by a double hand-out, by an excess and by a
// stack in place of the queue, shows that each check can fail. Run it under the
// race detector:
//
//	go test -race ./history
package history
