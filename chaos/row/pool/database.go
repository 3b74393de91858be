package pool

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
)

// DBSetup says how a pool of PostgreSQL sessions is configured. Zero is the
// pool's own default.
type DBSetup struct {
	DSN string
	Max int

	Dial           func(ctx context.Context, network, addr string) (net.Conn, error) // default: net's
	Lookup         func(ctx context.Context, host string) ([]string, error)          // default: net's
	ConnectTimeout time.Duration
	CheckTimeout   time.Duration // of the check of an idle session; database/sql has none
	CheckAfterIdle time.Duration // ours; the others check after 1 s
	CheckEvery     time.Duration // ours: CheckInterval; pgxpool: HealthCheckPeriod; database/sql has none

	Reset func(context.Context, *pgx.Conn) error // pgxpool: AfterRelease; database/sql: ResetSession

	Edit func(*connpool.Config[*pgx.Conn]) // ours
}

// DB is a pool of sessions, used as its documentation says.
type DB interface {
	Exec(ctx context.Context, statement string) error
	Session(ctx context.Context) (Session, error)
	Work(ctx context.Context, work func() error) error // runs it while a session is borrowed
	Close()
}

// Session is a borrowed session.
type Session interface {
	Exec(ctx context.Context, statement string) error
	Text(ctx context.Context, query string) (string, error) // one value
	Unread(ctx context.Context, query string) error         // begins to read rows, and leaves it at that
	Release()
}

// OpenedDB is a DB that has been opened, and how many sessions it has.
type OpenedDB struct {
	DB
	Opens *atomic.Int64
}

// OpenDB opens a pool of sessions.
func OpenDB(k Kind, s DBSetup) (*OpenedDB, error) {
	cfg, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		return nil, err
	}
	opens := new(atomic.Int64)
	switch k {
	case Ours:
		db, err := openOurDB(s, s.apply(cfg), opens)
		return &OpenedDB{db, opens}, err
	case Pgxpool:
		db, err := openPgxDB(s, opens)
		return &OpenedDB{db, opens}, err
	case SQL:
		return &OpenedDB{openSQLDB(s, s.apply(cfg), opens), opens}, nil
	}
	return nil, fmt.Errorf("pool: %s lends no sessions", k)
}

// apply puts into a session's configuration what belongs there. Statements go
// without preparation: a reset that drops prepared ones would otherwise have to
// tell pgx.
func (s DBSetup) apply(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	if s.Dial != nil {
		cfg.DialFunc = s.Dial
	}
	if s.Lookup != nil {
		cfg.LookupFunc = s.Lookup
	}
	if s.ConnectTimeout > 0 {
		cfg.ConnectTimeout = s.ConnectTimeout
	}
	return cfg
}
