package rival

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
)

func sqlRival() Rival {
	return Rival{
		Name:    "database/sql",
		Version: runtime.Version(),
		Kind:    Unfair,
		Note:    "DB.Conn and Conn.Close, with a driver whose connections do nothing and have no session to reset.",
		Bounded: true,
		New:     newSQL,
	}
}

type sqlPool struct{ db *sql.DB }

func newSQL(s Setup) (Pool, error) {
	db := sql.OpenDB(&sqlConnector{opener{dial: s.Dial}})
	db.SetMaxOpenConns(s.Max)
	db.SetMaxIdleConns(s.Max)
	return sqlPool{db}, nil
}

func (p sqlPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (p sqlPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	hold()
	return nil
}

func (p sqlPool) Waits() uint64 { return uint64(p.db.Stats().WaitCount) }

func (p sqlPool) Close() { _ = p.db.Close() }

type sqlConnector struct{ opener }

func (c *sqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return sqlConn{conn}, nil
}

func (c *sqlConnector) Driver() driver.Driver { return sqlDriver{} }

type sqlDriver struct{}

var errNoOp = errors.New("rival: the connection does nothing")

func (sqlDriver) Open(string) (driver.Conn, error) { return nil, errNoOp }

type sqlConn struct{ *Conn }

func (sqlConn) Prepare(string) (driver.Stmt, error) { return nil, errNoOp }
func (sqlConn) Begin() (driver.Tx, error)           { return nil, errNoOp }
func (sqlConn) Close() error                        { return nil }
