package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

// database stands for a driver's connector.
func database() driver.Connector { return newServer() }

func ExampleOpenDB() {
	db := sqlconn.OpenDB(database(), connpool.Config[driver.Conn]{MaxSize: 16})
	defer db.Close()

	var n int
	if err := db.QueryRow("select 2").Scan(&n); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
	// Output: 2
}

// The pool says who holds what; resize it, or replace its connections, while it
// is in use.
func ExampleOpen() {
	db, pool, err := sqlconn.Open(database(), connpool.Config[driver.Conn]{Name: "orders", MaxSize: 2}, sqlconn.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	tx, err := db.Begin()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Stats().InUse, "in use")
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Stats().Idle, "idle")
	if err := pool.Resize(8); err != nil {
		log.Fatal(err)
	}
	fmt.Println("at most", pool.Stats().MaxSize)
	// Output:
	// 1 in use
	// 1 idle
	// at most 8
}

// An exhausted pool is told from a server that is down, and both from a closed
// handle.
func ExampleOpenDB_errors() {
	db := sqlconn.OpenDB(database(), connpool.Config[driver.Conn]{MaxSize: 1, AcquireTimeout: 100 * time.Millisecond})
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()

	err = db.Ping()
	fmt.Println(errors.Is(err, connpool.ErrExhausted), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

// A statement is prepared once a connection, however often it is borrowed.
func ExampleOptions() {
	server := newServer()
	db, _, err := sqlconn.Open(server, connpool.Config[driver.Conn]{MaxSize: 1}, sqlconn.Options{StatementCache: 32})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	stmt, err := db.Prepare("insert into events values (?)")
	if err != nil {
		log.Fatal(err)
	}
	defer stmt.Close()
	for n := range 100 {
		if _, err := stmt.Exec(n); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("prepared", len(server.calls("Prepare")), "time, run", len(server.calls("Stmt.Exec")), "times")
	// Output: prepared 1 time, run 100 times
}

// What a function given to Raw gets is a shell; behind it is the driver's own
// connection.
func ExampleDriverConn() {
	db := sqlconn.OpenDB(database(), connpool.Config[driver.Conn]{})
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	err = conn.Raw(func(c any) error {
		own, err := sqlconn.DriverConn(context.Background(), c)
		if err != nil {
			return err
		}
		fmt.Println(own.(*fakeConn).id) // the driver's type
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1
}

// A driver's function that takes a *sql.Conn finds its own type in Raw.
func ExamplePlain() {
	db := sqlconn.OpenDB(database(), connpool.Config[driver.Conn]{})
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	err = sqlconn.Plain(context.Background(), conn, func(plain *sql.Conn) error {
		return plain.Raw(func(own any) error {
			fmt.Println(own.(*fakeConn).id) // the driver's type
			return nil
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1
}

// Callbacks get the driver's own connection. This one makes sure that no setting
// of one user's reaches the next.
func ExampleOpenDB_reset() {
	discardAll := func(ctx context.Context, c driver.Conn) error {
		if e, ok := c.(driver.ExecerContext); ok {
			_, err := e.ExecContext(ctx, "discard all", nil)
			return err
		}
		return nil
	}
	db := sqlconn.OpenDB(database(), connpool.Config[driver.Conn]{Reset: discardAll})
	defer db.Close()
	fmt.Println(db.Ping())
	// Output: <nil>
}
