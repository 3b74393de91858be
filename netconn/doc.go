// Package netconn has the pool lend network connections: TCP, TLS and Unix
// sockets, for protocols that a program speaks itself.
//
//	pool, err := connpool.New(netconn.PoolConfig("tcp", "127.0.0.1:6379", netconn.Options{}))
//	if err != nil {
//		return err
//	}
//	err = pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
//		return netconn.Do(ctx, conn, func() error { return exchange(conn, request, &reply) })
//	})
//
// Its parts work without each other:
//
//   - [PoolConfig] is a [connpool.Config] that dials, shakes hands, and lends no
//     connection that has died or has something unread on it.
//   - [Do] runs one request under a context: deadline and cancellation reach reads
//     and writes, and nothing of them is left behind for the next user.
//   - [Alive] says in half a microsecond whether a connection is open and silent,
//     for a Config of one's own.
//   - [Dialer] is for code that takes a dial function: DialContext returns a
//     connection whose Close gives it back.
//
// # What is known without a round trip
//
// A connection between two requests is silent: nothing can be read from it. So
// one look at what the kernel has received finds the connection that the other
// end has closed (FIN) or reset (RST), and the one on which a reply has come that
// nobody has read, which would be taken for the reply to the next request. What
// it cannot find is a machine that has lost its power, or a reply that is still
// on its way (over TLS, one whose last record is): for the former there is
// Options.Check, for the latter the rule that who has not read his whole reply
// returns an error, so that the connection is closed.
//
// Where the look itself cannot be had, Alive returns [connpool.ErrUnsure] and a
// Check decides before the connection is lent. PoolConfig always has one: it
// listens for a few milliseconds, on a goroutine of the pool's, and lets
// Options.Check, if set, make its round trip. That is so
//
//   - over TLS when records have arrived: they may be a reply, or only session
//     tickets, and are told apart by reading them. A connection on which nothing
//     has arrived, the common case, needs no Check;
//   - for connections that hide their socket, such as a type of one's own around
//     a net.Conn. One that implements [syscall.Conn] does not hide it. If it has a
//     method NetConn, as tls.Conn does, the socket below is looked at, but only to
//     find it dead: a wrapper may hold back bytes of its own;
//   - on Windows, Plan 9, AIX and WebAssembly, for all connections: each is checked
//     at every hand-out. Without Options.Check that costs each hand-out the few
//     milliseconds; with one, a round trip, which also has to tell its own reply
//     from one that was left unread.
package netconn
