package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

var quiet = slog.New(slog.DiscardHandler)

// byDSN is the connector of a driver that parses its DSN when it connects.
type byDSN struct {
	driver driver.Driver
	dsn    string
}

func (c byDSN) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c byDSN) Driver() driver.Driver                        { return c.driver }

// failingWith is a connector that fails.
type failingWith struct{ err error }

func (c failingWith) Connect(context.Context) (driver.Conn, error) { return nil, c.err }
func (c failingWith) Driver() driver.Driver                        { return nil }

func TestFault102_WhatADriverSaysAboutItsDSNIsTheOperationsErrorAtOnce(t *testing.T) {
	_, badURL := url.Parse("postgres://%zz")
	_, badPort := strconv.Atoi("port")
	for _, err := range []error{badURL, badPort, fmt.Errorf("no such host: %w", badPort)} {
		synctest.Test(t, func(t *testing.T) {
			db := sqlconn.OpenDB(failingWith{err}, config{Logger: quiet})
			began := time.Now()
			for _, got := range everyOperation(db) {
				require.True(t, got == err, "%v", got) //nolint:errorlint // as people compare
			}
			require.Zero(t, time.Since(began))
			must(t, db.Close())
		})
	}
}

func everyOperation(db *sql.DB) []error {
	_, begin := db.Begin()
	_, prepare := db.Prepare("a")
	return []error{db.Ping(), exec(db, "a").(error), query(db, "a ?", 1).(error), begin, prepare}
}

func TestFault102_PgxsParseErrorComesAsItIs(t *testing.T) {
	connector := byDSN{stdlib.GetDefaultDriver(), "postgres://localhost:port/"}
	_, want := connector.Connect(ctx)
	require.ErrorContains(t, want, "cannot parse")
	synctest.Test(t, func(t *testing.T) {
		db := sqlconn.OpenDB(connector, config{Logger: quiet})
		began := time.Now()
		err := db.Ping()
		require.IsType(t, want, err)
		require.EqualError(t, err, want.Error())
		require.Zero(t, time.Since(began))
		must(t, db.Close())
	})
}

// An outage may be over in a moment.
func TestFault102_AnOutageIsNoWrongDSN(t *testing.T) {
	for _, err := range []error{errFake, &net.OpError{Op: "dial", Err: errFake}, &url.Error{Op: "Get", Err: errFake}} {
		synctest.Test(t, func(t *testing.T) {
			db := sqlconn.OpenDB(failingWith{err}, config{DownAfter: time.Second, Logger: quiet})
			began := time.Now()
			got := db.Ping()
			require.IsType(t, new(connpool.AcquireError), got)
			require.ErrorIs(t, got, err)
			require.GreaterOrEqual(t, time.Since(began), time.Second)
			must(t, db.Close())
		})
	}
}
