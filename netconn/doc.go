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
// Both halves matter: the pool lends no connection on which the last exchange did
// not come to its end, and [Do] brings the context's deadline and cancellation to
// the reads and writes.
//
// Its parts work without each other:
//
//   - [PoolConfig] is a [connpool.Config] that dials, shakes hands, and lends no
//     connection that has died, has something unread on it, or on which a read or
//     write has failed.
//   - [Do] runs one request under a context: deadline and cancellation reach reads
//     and writes, and nothing of them is left behind for the next user.
//   - [Alive] says in half a microsecond whether a connection is open and silent,
//     for a Config of one's own.
//   - [Dialer] is for code that takes a dial function: DialContext returns a
//     connection whose Close gives it back. Few protocols fit it; its documentation
//     says which.
//
// # Whose error it is
//
// Work on a pooled connection often ends with an error of something else: a cache
// refuses connections, a name does not resolve, another call ran out of time. That
// says nothing about this connection, so PoolConfig's connections judge by what
// happened on them ([Conn.IsBad]), and such an error costs none. What happened on
// them costs the connection even where the work returns no error.
//
// A context's error is the one that cannot be told by that alone. If the context
// of a Do ended and its request failed, nobody knows what is still on its way, and
// the connection is closed, unless nothing had been read or written. If another
// context ended during a Do, and its own did not, the connection is kept if
// something was read after the last write. Without Do, a context's error costs the
// connection if anything has been read or written. So it pays to put into a Do the
// exchange and nothing else.
//
// # What is known without a round trip
//
// A connection between two requests is silent: nothing can be read from it. So
// one look at what the kernel has received finds the connection that the other
// end has closed (FIN) or reset (RST), and the one on which a reply has come that
// nobody has read, which would be taken for the reply to the next request. What
// it cannot find is a machine that has lost its power, or a reply that is still
// on its way (over TLS, one whose last record is). For the former there is
// Options.Check. For the latter a connection is closed that comes back after a
// failed read or with nothing read since the last write; only a user that stops in
// the middle of a reply has to say so, by Conn.Discard.
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
