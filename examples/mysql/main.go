// Mysql uses database/sql over a pool of MySQL connections with the driver
// go-sql-driver/mysql: ordinary queries, sessions that the server kills, and a
// fail-over to another server while callers write.
//
//	go -C examples/mysql run .
//
// It starts two private MariaDB servers, if MariaDB is installed, and removes
// them when it ends. What to copy into a program of one's own is in pool.go.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connpool/connpool/internal/servertest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mysql:", err)
		os.Exit(1)
	}
}

const (
	size    = 4
	writers = 16
	rounds  = 50
)

// run leaves nothing behind, whenever ctx ends.
func run(ctx context.Context, out io.Writer) (err error) {
	var servers [2]*servertest.MariaDB
	for i := range servers {
		if servers[i], err = servertest.StartMariaDB(ctx, nil); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers[i].Stop()) }()
		fmt.Fprintf(out, "A private MariaDB listens on %s.\n", servers[i].Addr())
	}
	// The name of the database, so to speak: what it leads to may change.
	var name atomic.Pointer[servertest.MariaDB]
	name.Store(servers[0])
	db, pool, err := openDB(servers[0].PlainDSN(), func() string { return name.Load().Addr() })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	admins := [2]*admin{}
	for i, server := range servers {
		if admins[i], err = newAdmin(ctx, server); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, admins[i].db.Close()) }()
	}
	write := func(headline string) error { return writeAtOnce(ctx, out, db, headline) }

	if err := write("Queries"); err != nil {
		return err
	}
	killed, err := admins[0].killSessions(ctx)
	if err != nil {
		return err
	}
	if err := write(fmt.Sprintf("KILL CONNECTION on all %d sessions", killed)); err != nil {
		return err
	}
	if err := admins[0].exec(ctx, "set global read_only = 1"); err != nil {
		return err
	}
	name.Store(servers[1])
	if err := write("A fail-over: the old server is read-only, the name leads to the new one"); err != nil {
		return err
	}
	for i, admin := range admins {
		rows, err := admin.count(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Server %d has %d rows.\n", i+1, rows)
	}
	s := pool.Stats()
	fmt.Fprintf(out, "\nThe pool opened %d connections, %d at once at most; %d of %d leases waited.\n",
		s.Connects, s.MaxSize, s.Waits, s.Acquires)
	return nil
}

// writeAtOnce has many goroutines insert rows, and says how many were inserted.
func writeAtOnce(ctx context.Context, out io.Writer, db *sql.DB, headline string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var all sync.WaitGroup
	var inserted atomic.Int64
	var failure atomic.Value
	for range writers {
		all.Go(func() {
			for n := range rounds {
				if _, err := db.ExecContext(ctx, "insert into writes values (?)", n); err != nil {
					failure.Store(err)
					continue
				}
				inserted.Add(1)
			}
		})
	}
	all.Wait()
	fmt.Fprintf(out, "\n== %s\n\n%d of %d rows inserted.\n", headline, inserted.Load(), writers*rounds)
	if err, failed := failure.Load().(error); failed {
		fmt.Fprintf(out, "The last error: %v\n", err)
	}
	return ctx.Err()
}
