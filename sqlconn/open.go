package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// Options are what Open can do beyond a pool's Config. The zero value is
// OpenDB's.
type Options struct {
	// StatementCache is how many prepared statements each connection keeps ready,
	// the least recently used going first. Default 0: none are kept, and every
	// statement is closed when database/sql closes it.
	StatementCache int
}

// OpenDB returns a database handle whose connections come from a pool of this
// package's: connector opens them, cfg says how many there may be and for how
// long, and db.Close closes the pool. The fields of cfg that sqlconn fills in are
// in the package's comment; all may be left zero.
//
// Nothing is dialled before it is needed, except for MinSize and MinIdle. A cfg
// that is no good makes every use of the handle fail with the error that says
// why, so that db.Ping tells; Open returns that error at once, and the pool.
func OpenDB(connector driver.Connector, cfg connpool.Config[driver.Conn]) *sql.DB {
	db, _, err := Open(connector, cfg, Options{})
	if err != nil {
		return sql.OpenDB(refused{err})
	}
	return db
}

// Open is OpenDB with options. It also returns the pool, for its Stats, Resize,
// Retire, Shutdown and so on. A connection taken from the pool by Acquire is
// the driver's own behind DriverConn.
func Open(connector driver.Connector, cfg connpool.Config[driver.Conn], options Options) (*sql.DB, *connpool.Pool[driver.Conn], error) {
	if err := validate(connector, cfg, options); err != nil {
		return nil, nil, err
	}
	s := &source{Connector: connector, options: options, closeTimeout: cfg.CloseTimeout}
	pool, err := connpool.New(s.fill(cfg))
	if err != nil {
		return nil, nil, err
	}
	s.pool = pool
	db := sql.OpenDB(s)
	db.SetMaxIdleConns(maxIdleShells)
	return db, pool, nil
}

// maxIdleShells is how many idle shells database/sql keeps. There are as many as
// there have been callers at once, waiting ones included. One takes some 400 bytes
// and a microsecond to make; but statements of the handle look for theirs one by
// one, so there should not be thousands.
const maxIdleShells = 256

func validate(connector driver.Connector, cfg connpool.Config[driver.Conn], options Options) error {
	var faults []error
	if connector == nil {
		faults = append(faults, errors.New("the connector is nil: use the driver's, or its DriverContext's OpenConnector"))
	}
	if cfg.Connect != nil {
		faults = append(faults, errors.New("Config.Connect is set: leave it nil, the connector opens the connections"))
	}
	if options.StatementCache < 0 {
		faults = append(faults, fmt.Errorf("Options.StatementCache is %d: use 0 for none, or a positive number", options.StatementCache))
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("sqlconn: %w", errors.Join(faults...))
}

// source is the connector that database/sql sees: what it opens is a shell, which
// borrows a connection when it is used.
type source struct {
	driver.Connector // the driver's

	pool         *connpool.Pool[driver.Conn]
	options      Options
	closeTimeout time.Duration
	isBad        func(*pooled, error) bool
	tells        atomic.Bool // the driver says what it knows of a connection's state

	// See discard. The connections of a generation may all be of the same lot.
	generation atomic.Uint64
	badInARow  atomic.Int64 // connections that came back bad, with no sound one between
}

// Connect makes a shell.
func (s *source) Connect(context.Context) (driver.Conn, error) { return &conn{source: s}, nil }

// Close closes the pool: db.Close calls it. What is idle is closed when it
// returns, as with database/sql's own pool, unless some connections are in use:
// then nobody waits for any, and those close as they come back.
func (s *source) Close() error {
	err := s.pool.Close()
	if s.pool.Stats().InUse == 0 {
		ctx, cancel := s.closing()
		defer cancel()
		err = s.pool.Shutdown(ctx)
	}
	if closer, ok := s.Connector.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	return err
}

// closing returns a context that outlasts every Close of a connection, or its
// being abandoned.
func (s *source) closing() (context.Context, context.CancelFunc) {
	switch timeout := s.closeTimeout; {
	case timeout < 0:
		return context.WithCancel(context.Background())
	case timeout == 0:
		return context.WithTimeout(context.Background(), 2*defaultCloseTimeout)
	default:
		return context.WithTimeout(context.Background(), 2*timeout)
	}
}

// defaultCloseTimeout is the pool's.
const defaultCloseTimeout = 5 * time.Second

// discard destroys a connection that the driver has called bad, and sees to it
// that others of its age are not lent as they are, since database/sql counts on its
// third attempt getting a connection that is not of the same lot. With a Ping the
// pool checks them first. If that does not help, and a second in a row is bad, as
// where a server answers pings and takes no writes any more, or if there is no
// Ping, they are replaced. The first of a generation speaks for it; those found
// after it say nothing about newer ones. A context's error says nothing about
// others.
func (s *source) discard(l loan) {
	_, pings := l.Conn.(driver.Pinger)
	if isContextErr(l.bad) || pings && s.badInARow.Add(1) < 2 {
		l.lease.Discard(l.bad)
		return
	}
	l.lease.Discard(errRejected)
	if s.generation.CompareAndSwap(l.generation, l.generation+1) {
		s.pool.Retire()
	}
}

// sound returns a connection that nothing speaks against.
func (s *source) sound(l loan) {
	if s.badInARow.Load() != 0 {
		s.badInARow.Store(0)
	}
	l.lease.Release()
}

// These are not bad: of other connections they say nothing.
var (
	errRejected = errors.New("sqlconn: not fit to be used again, say the driver or database/sql")
	errLost     = errors.New("sqlconn: the driver did not return from a call")
)

// badError makes an error bad that IsBad or the driver's IsValid has called so.
type badError struct{ error }

func (e *badError) Unwrap() []error { return []error{e.error, driver.ErrBadConn} }

// exactly returns the pool's error as database/sql's users are to see it: what the
// driver said about its own configuration as the driver said it, and all else as
// the pool says it, but for driver.ErrBadConn, which is hidden. The pool has tried
// again already, in its own time and up to the caller's deadline; database/sql
// would do it all twice more.
func exactly(err error) error {
	var failed *connpool.AcquireError
	var config *configError
	if errors.As(err, &failed) && failed.Stage == connpool.StageConnect && errors.As(err, &config) {
		return config.error
	}
	if errors.Is(err, driver.ErrBadConn) {
		return final{err}
	}
	return err
}

type final struct{ err error }

func (e final) Error() string        { return e.err.Error() }
func (e final) Is(target error) bool { return target != driver.ErrBadConn && errors.Is(e.err, target) }
func (e final) As(target any) bool   { return errors.As(e.err, target) }

// configError is what a driver says about its configuration.
type configError struct{ error }

func (e *configError) Unwrap() error { return e.error }

// misconfigured reports whether an error of the driver's Connect is about its
// configuration, usually a DSN that cannot be parsed: the errors of packages
// net/url and strconv, and pgx's ParseConfigError, which is known by its name, so
// that programs with other drivers need not be built with pgx.
func misconfigured(err error) bool {
	var parse *url.Error
	var number *strconv.NumError
	if errors.As(err, &parse) && parse.Op == "parse" || errors.As(err, &number) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if reflect.TypeOf(err).String() == "*pgconn.ParseConfigError" {
			return true
		}
	}
	return false
}

// refused is the connector of a handle whose Config was no good.
type refused struct{ err error }

func (r refused) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refused) Driver() driver.Driver                        { return r }
func (r refused) Open(string) (driver.Conn, error)             { return nil, r.err }
