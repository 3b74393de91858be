// Package sqlconn lets database/sql use a pool of package connpool, with any
// driver. You keep the *sql.DB, and with it whatever is built on one: sqlx, GORM,
// sqlc, ent, bun.
//
//	connector, err := mysql.NewConnector(cfg) // any driver's
//	if err != nil {
//		return err
//	}
//	db := sqlconn.OpenDB(connector, connpool.Config[driver.Conn]{MaxSize: 16})
//	defer db.Close()
//
// For a driver that has a name and a DSN only, its driver.DriverContext makes the
// connector, or five lines of your own that call its Open.
//
// What database/sql then takes for a connection is a shell. It borrows a connection
// from the pool when there is work, with the context of that work, and returns it
// when the work is done: a query when its rows are closed, a transaction when it
// ends, a sql.Conn from its first use until it is closed. So callers are served in
// the order they came, a connection is checked before it is lent if it has been
// idle or others died, an exhausted pool names those who hold its connections, and
// a restart of the server costs no storm of dials. Open returns the pool, too, for
// Stats, Resize, Retire and Shutdown. db.Close closes the pool.
//
// An acquire that fails is the error of the operation that needed the connection,
// a *connpool.AcquireError as the pool returned it. What a driver says about its own
// configuration, such as a DSN that cannot be parsed, comes at once and as the
// driver said it, so that it can be compared with ==. The errors of net/url and
// strconv and pgx's ParseConfigError are known to be of that kind; a connector
// marks others with connpool.Permanent.
//
// # Settings of the handle
//
// MaxSize, IdleTimeout, MaxLifetime and so on take the place of SetMaxOpenConns,
// SetMaxIdleConns, SetConnMaxIdleTime and SetConnMaxLifetime. What is set with the
// last three does no harm: they make database/sql keep fewer shells, which are cheap.
// Leave out SetMaxOpenConns: it limits what can be done at once, and has callers
// wait in database/sql, in no order, before they wait in the pool. A context without a
// deadline waits for AcquireTimeout, which is 30 s unless it is set, where a plain
// handle waits for ever.
//
// db.Stats counts shells. Read the pool's Stats instead:
//
//	MaxOpenConnections   Limit
//	OpenConnections      Size; of the handle: as many as there have been callers
//	                     at once, at most 256 when they are idle
//	InUse                InUse; of the handle: calls under way, and waiting ones
//	Idle                 Idle
//	WaitCount            WaitTime.Count
//	WaitDuration         WaitTime.Sum
//	MaxIdleClosed        Closes[ClosedSurplus]
//	MaxIdleTimeClosed    Closes[ClosedIdle]
//	MaxLifetimeClosed    Closes[ClosedLifetime]
//
// # What the pool asks the driver
//
// Fields of Config that are nil ask the driver; those that are set are called
// with the driver's own connection.
//
//	Connect   the connector; a Config that sets it is refused
//	Close     Conn.Close, after the statements that the connection keeps; of pgx,
//	          also until its CleanupDone says that a query which was cut short has
//	          been cancelled: until then the server has the session
//	Alive     Validator.IsValid, or pgx's IsClosed, of connections that were lent
//	          before
//	Clean     the same, when a connection comes back: one that is dead is closed there
//	Check     Pinger.Ping
//	Prepare   SessionResetter.ResetSession, of connections that were lent before;
//	          a Prepare that is set runs after it, not in its place
//	Reset     nothing
//	IsBad     see below
//
// # What database/sql sees
//
// Every optional interface of a driver is called whenever database/sql would call
// it, and where the driver has none, what happens is what database/sql does without
// it, in its words: the conversion of arguments, too, is done here as it is there,
// since it takes the driver's connection. A shell has all interfaces of a
// connection; driver.ErrSkip stands for those that the driver lacks.
//
//	of rows
//	  RowsNextResultSet              present if the driver has it
//	  RowsColumnType...              always; unknown
//	of the connector
//	  io.Closer                      called by db.Close, after the pool is closed
//	  Driver                         db.Driver returns the driver's own
//
// A plain handle differs in this:
//
//   - db.Conn waits for nothing and cannot fail for want of a connection. The first
//     use of the sql.Conn does.
//   - A function given to sql.Conn.Raw gets a shell. DriverConn returns the driver's
//     own connection; Plain calls a driver's function that takes a *sql.Conn.
//   - Rows have no interface that came after Go 1.26, such as RowsColumnScanner.
//   - If the context of a transaction on a sql.Conn ends, the next use of the
//     sql.Conn fails with driver.ErrBadConn, and further ones with sql.ErrConnDone,
//     unless the driver has both SessionResetter and Validator.
//   - A statement of a sql.Conn ends with the sql.Conn at the server, too.
//
// # Broken connections
//
// driver.ErrBadConn has database/sql try again, up to three times, as ever. A
// connection on which it was seen, be it in a transaction or while rows were read,
// is destroyed when it comes back. IsBad is asked about every other error that one
// of the driver's calls on the connection returned, on every path: rows, statements
// and the end of a transaction included. If it is not set, a driver that says
// whether a connection can be used (IsValid; IsClosed of pgx) is believed, and of
// another the type of the error has to do, by connpool.DefaultIsBad, but for a
// context's errors. After a fail-over the name of a server may lead to one that is
// read-only; an IsBad leaves it at the first write that is refused:
//
//	IsBad: func(err error) bool {
//		var failed *pgconn.PgError
//		return connpool.DefaultIsBad(err) || errors.As(err, &failed) && failed.Code == "25006"
//	}
//
// Nobody asks about errors of another system's, which speak of another connection:
// those of an argument's Value method, of a Scan method, of a function given to Raw
// or of the code around the transaction.
//
// Destroyed is also a connection whose transaction could not be rolled back, or
// whose session cannot be reset, whatever the error: a plain handle lends it all the
// same unless the error is ErrBadConn. And so is one whose driver, or an argument's
// Value method, panicked, or called runtime.Goexit. A plain handle may take it to
// be in use for ever; here its slot is free at once, and what else uses the
// connection, such as open rows or the transaction, fails with driver.ErrBadConn.
//
// When a connection was bad the others are suspect. Those of a driver with a Ping
// are pinged before they are lent again. Those of one without, or if a second in a
// row is bad, are replaced, so that the third attempt of database/sql meets one that
// is new, as it expects.
//
// # Statements
//
// A shell has another connection each time, so a statement of db.Prepare would be
// prepared at each use. With Options.StatementCache it is prepared once a
// connection: each keeps the statements that are not in use, up to that many, the
// least recently used going first, and lends them to the next that asks for the
// same query. One that is in use, or whose rows are open, is lent to nobody else:
// the next gets a second. One that failed is closed, since the server may have
// dropped it or its tables may have changed; that error, once a connection, its
// user has. Set it if the program prepares statements, or if the driver does for
// want of ExecerContext and QueryerContext. Leave it out with a Reset that drops
// prepared statements, such as DISCARD ALL, and with drivers that forget them in
// ResetSession.
//
// # Cost
//
// A borrow costs some 0.4 µs more than from a plain handle, and one allocation, for
// the rows. Callers that wait pay some more for the record of who waits where, which
// LeakStacks: connpool.StacksNever spares.
package sqlconn
