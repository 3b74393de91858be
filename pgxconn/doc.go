// Package pgxconn has the pool lend PostgreSQL connections of pgx, and gives it
// pgxpool's methods, so that code which is written against pgxpool changes an
// import and a type:
//
//	pool, err := pgxconn.New(ctx, os.Getenv("DATABASE_URL"))
//	if err != nil {
//		return err
//	}
//	defer pool.Close()
//	err = pool.QueryRow(ctx, "select name from users where id = $1", id).Scan(&name)
//
// For new code there is also the pool itself, without this wrapper: [PoolConfig]
// is a [connpool.Config] for [connpool.New], whose Do and Acquire lend the
// *pgx.Conn.
//
// # What works as with pgxpool
//
// [Pool] has the methods Exec, Query, QueryRow, SendBatch, CopyFrom, Begin and
// BeginTx, and so is what sqlc calls a DBTX and scany a Querier, and what
// pgx.BeginFunc, pgx.CollectRows and the like take. Rows, a Row, results of a
// batch and a [Tx] give their connection back exactly when pgxpool's do: rows when
// they are closed, read to their end or cannot be scanned, a row when it is
// scanned, results when they are closed, a transaction at its end.
//
// A connection that comes back closed, with rows unread or in a transaction,
// failed or not, is destroyed. [ParseConfig] understands pgxpool's settings in
// connection strings, and the hooks of [Config] keep pgxpool's contracts. pgx's
// tracers in ConnConfig.Tracer are called as ever.
//
// # What is different
//
//	pgxpool                             here
//	-------                             ----
//	an error of Acquire is the          a *connpool.AcquireError that says who holds
//	context's                           the connections, and matches the context's
//	puddle.ErrClosedPool                connpool.ErrClosed
//	waits for as long as ctx lets it    for 30 s if ctx has no deadline
//	who comes first is served first,    always
//	mostly
//	a failed dial fails its caller      nobody until dials have failed for a second;
//	                                    then everybody at once, while one goes on
//	a wrong password or database fails  it fails callers at once, and the pool tries
//	each dial                           again after 10 s and up to 5 min, or at once
//	                                    after Reset
//	a dial for each caller who waits    at most 8 at once, one after a failure
//	ping after a second idle            the same, and before each lease a look at the
//	                                    socket that is no older than a millisecond
//	PingTimeout 0: a ping may take      5 s
//	for ever
//	ConnectTimeout 0: 2 min in all      10 s for each address, and as much each for
//	                                    BeforeConnect and AfterConnect
//	each dial begins at the first       an address that has just failed is tried last,
//	address                             for a minute
//	a server that takes no writes any   left at the first error 25006 of each
//	more is used until MaxConnLifetime  connection, and by checks that ask again for
//	                                    target_session_attrs
//	MaxConnLifetimeJitter 0: none       up to a tenth less
//	MinConns above MaxConns, or below   an error
//	0, is as good as what can be had
//	MaxConnIdleTime 0: closed at the    never closed for that
//	next health check
//	HealthCheckPeriod: looks for        the same is done in time by itself; it is how
//	connections too old or too idle,    often an idle connection is pinged
//	and for MinConns
//	Close waits for ever                for a minute, then logs who holds what
//	a connection may be held for ever   after a minute the log says who holds it
//	a connection, Tx or Rows used       panics, or has no Conn: it cannot touch the
//	after its release                   next user's
//	a panic in a hook or in pgx loses   the connection is destroyed; only that of a
//	a connection or ends the process    driver.Valuer which CopyFrom meets ends the
//	                                    process here too
//	Stat counts attempts to connect     connections opened
//	EmptyAcquireCount, AcquireDuration  of all acquires that waited, also those that
//	and EmptyAcquireWaitTime are of     failed
//	acquires that succeeded
//	NewWithConfig panics on a Config    returns an error
//	not made by ParseConfig
//	AcquireTracer, ReleaseTracer        have this Pool in their signature; see the
//	                                    example for those written for pgxpool
//	FieldDescriptions of rows that      nil, and Conn too; read them before
//	have ended are whatever is there
//	MaxConns has no largest value       connpool.LargestMaxSize
//	the context of NewWithConfig opens  its values reach the connect hooks; its end
//	the first connections               does nothing
//
// # Whose error it is
//
// A connection is destroyed for what has happened on it and not for the type of the
// error that the work returns: pgx closes it after a network error and all that is
// FATAL, and it is asked. So the error of a cache, a name server or another pool costs
// no connection. SQLSTATEs 57P01 to 57P03, class 08, and 25006 (a server that takes no
// writes) unless target_session_attrs wants such a server, destroy it too, on
// whichever path they come, and have the others checked before they are lent. A write
// in a read-only transaction of the user's own does not, if the server tells that it
// takes writes (PostgreSQL 14; poolers may not pass that on). What cannot be told apart
// is the same SQLSTATE of a second PostgreSQL that the work talks to: it costs this
// connection as well. Work through the [pgx.Conn] itself is known by the error that
// it returns alone.
//
// # What it cannot stand in for
//
//   - What takes a *pgxpool.Pool by its type: River's driver (riverpgxv5) and
//     stdlib.OpenDBFromPool, GetPoolConnector. For database/sql there is package
//     sqlconn with stdlib.GetConnector, which pools by itself.
//   - A type assertion to *pgxpool.Conn or *pgxpool.Tx.
//
// # Files
//
//	pool.go      Pool: New, Acquire, Close    query.go     Exec, Query and the like
//	conn.go      Conn, and how it goes back   rows.go, tx.go, batch.go   who goes on holding it
//	config.go    Config, ParseConfig          keys.go      pool_max_conns and the like
//	settings.go  a Config in the pool's words hooks.go     PrepareConn, AfterRelease
//	session.go   is it alive and clean?       copy.go      a source that panics
//	bad.go       whose error is it?           guard.go     what may outlive its release
//	addresses.go which address is tried next
//	trace.go, stat.go
package pgxconn
