package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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
	db.SetMaxIdleConns(-1) // what is idle is the pool's
	return db, pool, nil
}

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

// source is the connector that database/sql sees: what it opens is borrowed, and
// what it closes is given back.
type source struct {
	driver.Connector // the driver's

	pool         *connpool.Pool[driver.Conn]
	options      Options
	closeTimeout time.Duration

	// generation numbers the connections of drivers without a Ping: see discard.
	generation atomic.Uint64
}

// Connect borrows a connection.
func (s *source) Connect(ctx context.Context) (driver.Conn, error) {
	lease, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, concealed(err)
	}
	return shaped(&conn{source: s, lease: lease, pooled: lease.Conn().(*pooled)}), nil
}

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
// that others of its age are not lent as they are. With a Ping the pool checks
// them first. Without one nobody can know, and database/sql counts on its third
// attempt getting a connection that is not of the same lot: so they are replaced.
// The first bad one of a generation speaks for it; those found after it say
// nothing about newer ones.
func (s *source) discard(lease connpool.Lease[driver.Conn], p *pooled) {
	if _, ok := p.Conn.(driver.Pinger); ok {
		lease.Discard(driver.ErrBadConn)
		return
	}
	lease.Discard(errRejected)
	if s.generation.CompareAndSwap(p.generation, p.generation+1) {
		s.pool.Retire()
	}
}

// These are not bad: of other connections they say nothing.
var (
	errRejected = errors.New("sqlconn: not fit to be used again, say the driver or database/sql")
	errLost     = errors.New("sqlconn: the driver did not return from a call")
)

// concealed hides driver.ErrBadConn in an error of the pool's. The pool has tried
// again already, in its own time and up to the caller's deadline; database/sql
// would do it all twice more.
func concealed(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return final{err}
	}
	return err
}

type final struct{ err error }

func (e final) Error() string        { return e.err.Error() }
func (e final) Is(target error) bool { return target != driver.ErrBadConn && errors.Is(e.err, target) }
func (e final) As(target any) bool   { return errors.As(e.err, target) }

// refused is the connector of a handle whose Config was no good.
type refused struct{ err error }

func (r refused) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refused) Driver() driver.Driver                        { return r }
func (r refused) Open(string) (driver.Conn, error)             { return nil, r.err }
