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
// database/sql keeps no idle connections then: each Connect of its is an Acquire,
// each Close a Release. So callers are served in the order they came, a
// connection is checked before it is lent if it has been idle or others died, an
// exhausted pool names those who hold its connections, and a restart of the
// server costs no storm of dials. Open returns the pool, too, for Stats, Resize,
// Retire and Shutdown. db.Close closes the pool.
//
// # What to leave out
//
// MaxSize, IdleTimeout, MaxLifetime and so on take the place of SetMaxOpenConns,
// SetMaxIdleConns, SetConnMaxIdleTime and SetConnMaxLifetime: do not call these.
// If somebody does, everything still works, but connections that database/sql
// keeps idle count as in use: nobody checks them, other users of the pool cannot
// have them, and after LeakThreshold they are reported as leaks. db.Stats knows
// connections in use only. A context without a deadline waits for AcquireTimeout,
// which is 30 s unless it is set, where a plain handle waits for ever.
//
// # What the pool asks the driver
//
// Fields of Config that are nil ask the driver; those that are set are called
// with the driver's own connection.
//
//	Connect   the connector; a Config that sets it is refused
//	Close     Conn.Close, after the statements that the connection keeps
//	Alive     Validator.IsValid, of connections that were lent before
//	Clean     nothing; when database/sql takes a connection back it asks IsValid,
//	          and what it rejects is destroyed
//	Check     Pinger.Ping
//	Prepare   SessionResetter.ResetSession, of connections that were lent before;
//	          a Prepare that is set runs after it, not in its place
//	Reset     nothing
//	IsBad     as in package connpool; driver.ErrBadConn is bad whatever is set
//
// # What database/sql sees
//
// Every optional interface of a driver is called whenever database/sql would call
// it, and where the driver has none, database/sql does what it does without it.
// Where that takes the interface to be absent, it is absent; the others are
// always there and fall back to what database/sql cannot tell from absence.
//
//	of a connection
//	  ExecerContext, Execer          present if the driver has either; driver.ErrSkip
//	  QueryerContext, Queryer        and the order of conversions are as ever
//	  SessionResetter                present if the driver has it and Validator, as
//	                                 both together let a connection outlive a
//	                                 transaction whose context ended
//	  Validator                      always; true
//	  Pinger                         always; does nothing
//	  ConnPrepareContext             always; Prepare, undone if the context has ended
//	  ConnBeginTx                    always; Begin, likewise, and errors for options
//	  NamedValueChecker              always; driver.ErrSkip
//	of a statement
//	  ColumnConverter                present if the driver has it
//	  StmtExecContext                always; Exec
//	  StmtQueryContext               always; Query
//	  NamedValueChecker              always; the connection's
//	of rows
//	  all                            the driver's own rows, except those below
//	of rows of kept statements, and of all if the driver has neither Validator nor
//	SessionResetter
//	  RowsNextResultSet              present if the driver has it
//	  RowsColumnType...              always; unknown
//	of the connector
//	  io.Closer                      called by db.Close, after the pool is closed
//	  Driver                         db.Driver returns the driver's own
//
// One thing cannot be had: a function given to sql.Conn.Raw gets what Connect
// returned, which is not the driver's connection. DriverConn returns that; code
// that asserts a driver's type in Raw needs this one call. Rows that are not the
// driver's own have no interface that came after Go 1.26.
//
// # Broken connections
//
// driver.ErrBadConn has database/sql try again, up to three times, as ever. A
// connection on which it was seen, be it in a transaction or while rows were
// read, is destroyed when it comes back; of rows that are the driver's own, its
// IsValid or ResetSession has to say so, as with a plain handle. Destroyed is also
// one that IsValid rejects, whose transaction could not be rolled back, or whose
// session cannot be reset, whatever the error: a plain handle lends it all the
// same unless the error is ErrBadConn.
//
// So is one whose driver panicked, or called runtime.Goexit. A plain handle may
// take it to be in use for ever; here its slot is free at once, or, once rows of
// the driver's own have been handed out, when database/sql closes it, if it does.
// A panic in database/sql itself, such as in an argument's Value method, may still
// cost a slot: the lease is then reported as a leak.
//
// The others are suspect then. Those of a driver with a Ping are pinged before
// they are lent again. Those of one without are replaced, so that the third
// attempt of database/sql meets one that is new, as it expects.
//
// # Statements
//
// To database/sql every borrowed connection is a new one, so a statement of
// db.Prepare would be prepared at each use. With Options.StatementCache it is
// prepared once a connection: each keeps the statements that database/sql has
// closed, the most recently used so many, and hands them to whoever prepares the
// same query. One that is in use, or whose rows are open, is nobody else's: the
// next gets a second. One that failed is closed, since the server may have dropped
// it or its tables may have changed; that error, once a connection, its user has.
// Set it if the program prepares statements, or if the driver does for want of
// ExecerContext and QueryerContext. Leave it out with a Reset that drops prepared
// statements, such as DISCARD ALL, and with drivers that forget them in
// ResetSession.
//
// A statement of a sql.Conn ends with the sql.Conn, where a plain handle leaves it
// open at the server until it is closed.
//
// # Cost
//
// A borrow costs a microsecond or two more than from a plain handle, most of it
// database/sql's own book-keeping for a new connection, and a few allocations.
// Callers that wait pay some more for the record of who waits where, which
// LeakStacks: connpool.StacksNever spares.
package sqlconn
