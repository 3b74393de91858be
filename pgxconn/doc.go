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
//	a dial for each caller who waits    at most 8 at once, one after a failure
//	ping after a second idle            the same, and before each lease a look at the
//	                                    socket that is no older than a millisecond
//	PingTimeout 0: a ping may take      5 s
//	for ever
//	ConnectTimeout 0: 2 min             10 s, AfterConnect included
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
//	NewWithConfig panics on a Config    returns an error
//	not made by ParseConfig
//	AcquireTracer, ReleaseTracer        have this Pool in their signature; see the
//	                                    example for those written for pgxpool
//	BeforeAcquire (deprecated)          is not here: return what it returns, and nil,
//	                                    from PrepareConn
//
// # What it cannot stand in for
//
//   - What takes a *pgxpool.Pool by its type: River's driver (riverpgxv5) and
//     stdlib.OpenDBFromPool, GetPoolConnector. For database/sql there is package
//     sqlconn with stdlib.GetConnector, which pools by itself.
//   - pgxpool's ShouldPing: the pool reads no clock when a connection is returned, so
//     nobody knows to the millisecond how long it has been idle. CheckAfterIdle of
//     the pool's Config, through [Config].Tune, says after how long one is pinged.
//   - A type assertion to *pgxpool.Conn or *pgxpool.Tx.
//
// # Files
//
//	pool.go      Pool: New, Acquire, Close    query.go     Exec, Query and the like
//	conn.go      Conn, and how it goes back   rows.go, tx.go, batch.go   who goes on holding it
//	config.go    Config, ParseConfig          keys.go      pool_max_conns and the like
//	settings.go  a Config in the pool's words hooks.go     PrepareConn, AfterRelease
//	session.go   is it alive, clean, broken?  copy.go      a source that panics
//	trace.go, stat.go
package pgxconn
