package row

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/connpool/connpool/internal/servertest"
	"github.com/connpool/connpool/netconn"
	"github.com/connpool/connpool/sqlconn"
)

// Rows about what only an adapter of ours does.
func adapterRows() []Row {
	return []Row{
		{
			Number: 63, Name: "SetMaxIdleConns", On: onlyOurs, Scenario: idleListOfSQL,
			Injected: "sqlconn with SetMaxIdleConns(4), pool of 4; " +
				"16 callers, 50 calls each of the handle and of its pool",
			Required: "all are served; no more than 4 sessions are opened",
		}, {
			Number: 66, Name: "a server that hangs up after a goodbye", On: onlyOurs, Scenario: goodbyes,
			Injected: "netconn.Dialer with Goodbye QUIT, Redis; 100 users in turn ask, say QUIT and close",
			Required: "no user gets a connection on which QUIT was said",
		},
	}
}

func idleListOfSQL(t *Trial) {
	const size, callers, calls = 4, 16, 50
	login, err := pgx.ParseConfig(t.postgres(nil).DSN())
	t.Must(err, "the server's address")
	db, own, err := sqlconn.Open(stdlib.GetConnector(*login),
		sqlConfig{MaxSize: size, Logger: slog.New(slog.DiscardHandler)}, sqlconn.Options{})
	t.Must(err, "opening the pool")
	t.Cleanup(func() { t.Must(db.Close(), "closing the handle") })
	db.SetMaxIdleConns(size)
	ofHandle := func() error {
		_, err := db.ExecContext(t.For(patience), "select 1")
		return err
	}
	ofPool := func() error {
		lease, err := own.Acquire(t.For(patience))
		if err == nil {
			lease.Release()
		}
		return err
	}
	failed := atOnce(callers, func() (err error) {
		for range calls {
			err = errors.Join(err, ofHandle(), ofPool())
		}
		return err
	})
	t.Sawf("%d of %d callers failed, %d sessions opened", len(failed), callers, own.Stats().Connects)
	if len(failed) > 0 {
		t.Faultf("%v", short(failed[0]))
	}
	t.Require(own.Stats().Connects <= size, "sessions were closed for it")
}

func goodbyes(t *Trial) {
	const users = 100
	redis, err := servertest.StartRedis(context.WithoutCancel(t.ctx))
	if errors.Is(err, servertest.ErrNotInstalled) {
		t.Skip(err.Error())
	}
	t.Must(err, "starting Redis")
	t.Cleanup(func() { t.Must(redis.Stop(), "stopping Redis") })
	d := &netconn.Dialer{Options: netconn.Options{Goodbye: []string{"QUIT"}}}
	t.Cleanup(func() { t.Must(d.Close(), "closing the dialer") })
	failed := 0
	for range users {
		if err := sayGoodbye(t.For(patience), d, redis.Addr()); err != nil {
			failed++
		}
	}
	t.Sawf("%d of %d users failed", failed, users)
	t.Require(failed == 0, "a user got a connection that the server was about to close")
}

// sayGoodbye is a user who asks, says the last word, and closes.
func sayGoodbye(ctx context.Context, d *netconn.Dialer, addr string) error {
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	replies := bufio.NewReader(conn)
	for _, word := range []string{"PING", "QUIT"} {
		if _, err := fmt.Fprintf(conn, "%s\r\n", word); err != nil {
			return err
		}
		if reply, err := replies.ReadString('\n'); !strings.HasPrefix(reply, "+") {
			return fmt.Errorf("%s: %q, %w", word, reply, err)
		}
	}
	return nil
}
