package connpooltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/connpooltest"
)

// printer stands for the *testing.T that a test has, so that the example shows
// what the test would say.
type printer struct{ testing.TB }

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// In a test of your own, pass its *testing.T, and the Config that your service
// uses.
func ExampleTestConfig() {
	var t printer
	connpooltest.TestConfig(t, connpool.Config[net.Conn]{
		Connect: func(ctx context.Context) (net.Conn, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			conn, _ := net.Pipe()
			return conn, nil
		},
		// It should look, and does not.
		Alive: func(net.Conn) error { return nil },
	})
	// Output:
	// connpooltest: Alive passes a connection that has been closed
	// 	why it matters: borrowers would be lent dead connections, and the pool would not notice that a server has gone
	// 	what to do: have it return an error for a connection that is closed or that its peer has closed; an Alive that cannot tell returns ErrUnsure
}

// Half of the dials fail, in an order that the seed decides. The pool tries
// again, and nobody notices.
func ExampleFaults() {
	flaky := connpooltest.Faults[net.Conn]{Seed: 1, FailEvery: 2}
	pool, err := connpool.New(flaky.Wrap(connpool.Config[net.Conn]{
		Connect: func(context.Context) (net.Conn, error) { conn, _ := net.Pipe(); return conn, nil },
		Logger:  slog.New(slog.DiscardHandler),
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Shutdown(context.Background())
	for range 5 {
		lease, err := pool.Acquire(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		lease.Discard(nil) // so that the next has to dial
	}
	fmt.Println(pool.Stats().Connects, "dials have worked, and nobody saw those that failed")
	// Output: 5 dials have worked, and nobody saw those that failed
}

// Each connection breaks in the hands of its first borrower: does the service end
// its leases so that the broken connection is not lent again?
func ExampleFaults_Wrap() {
	brittle := connpooltest.Faults[net.Conn]{BreakInUseEvery: 1}
	pool, err := connpool.New(brittle.Wrap(connpool.Config[net.Conn]{
		Connect: func(context.Context) (net.Conn, error) { conn, _ := net.Pipe(); return conn, nil },
		IsBad:   func(err error) bool { return errors.Is(err, io.ErrClosedPipe) },
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Shutdown(context.Background())
	err = pool.Do(context.Background(), func(_ context.Context, conn net.Conn) error {
		_, err := conn.Write([]byte("hello"))
		return err
	})
	fmt.Println("broken:", errors.Is(err, io.ErrClosedPipe))
	fmt.Println(pool.Stats().Closes)
	// Output:
	// broken: true
	// map[discarded:1]
}
