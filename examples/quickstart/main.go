// Quickstart runs the same load against the same server twice, with a connection
// for every request and with connections from a pool, and prints what that
// changes: first where a connection costs a handshake, then where it costs next
// to nothing.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -handshake 20ms -workers 64 -size 16
//
// What to copy into a program of one's own is in client.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/examples/internal/tcpserver"
)

type options struct {
	handshake time.Duration
	size      int
	load
}

func parseFlags() (o options) {
	flag.DurationVar(&o.handshake, "handshake", 5*time.Millisecond, "what it costs to open a connection")
	flag.IntVar(&o.size, "size", 16, "connections in the pool")
	flag.IntVar(&o.workers, "workers", 16, "requests at once")
	flag.IntVar(&o.requests, "requests", 5000, "requests a run; 0: as many as fit into -budget")
	flag.DurationVar(&o.budget, "budget", 2*time.Second, "longest time a run may take")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	if ctx.Err() != nil {
		fmt.Println("Stopped early.")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run ends early, and well, when ctx does.
func run(ctx context.Context, out io.Writer, o options) error {
	if o.workers < 1 || o.size < 1 {
		return fmt.Errorf("-workers %d and -size %d must be at least 1", o.workers, o.size)
	}
	fmt.Fprintf(out, "%d workers; the pool has up to %d connections.\n", o.workers, o.size)
	stats, err := compare(ctx, out, o, o.handshake)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if _, err := compare(ctx, out, o, 0); err != nil || ctx.Err() != nil {
		return err
	}
	printStats(out, o.handshake, stats)
	return nil
}

// compare runs the load both ways against one server, and prints a table. The
// statistics are the pool's.
func compare(ctx context.Context, out io.Writer, o options, handshake time.Duration) (connpool.Stats, error) {
	server, err := startServer(handshake)
	if err != nil {
		return connpool.Stats{}, err
	}
	defer server.Stop()
	fmt.Fprintf(out, "\nA handshake of %v:\n", handshake)

	unpooled, err := o.runUnpooled(ctx, out, server)
	if err != nil || ctx.Err() != nil {
		return connpool.Stats{}, err
	}
	pooled, stats, err := o.runPooled(ctx, out, server)
	if err != nil || ctx.Err() != nil {
		return connpool.Stats{}, err
	}
	return stats, printTable(out, unpooled, pooled)
}

func (o options) runUnpooled(ctx context.Context, out io.Writer, server *tcpserver.Server) (measured, error) {
	fmt.Fprintln(out, "  running with a connection for every request ...")
	return o.measure(ctx, server, func(ctx context.Context) error {
		return requestUnpooled(ctx, server.Addr())
	})
}

func (o options) runPooled(ctx context.Context, out io.Writer, server *tcpserver.Server) (measured, connpool.Stats, error) {
	pool, err := newPool(server.Addr(), o.size)
	if err != nil {
		return measured{}, connpool.Stats{}, err
	}
	defer pool.Close() // after Shutdown it does nothing
	fmt.Fprintln(out, "  running with the pool ...")
	m, err := o.measure(ctx, server, func(ctx context.Context) error {
		return requestPooled(ctx, pool)
	})
	if err != nil {
		return m, connpool.Stats{}, err
	}
	stats := pool.Stats()
	return m, stats, drain(ctx, out, pool)
}

// drain shuts the pool down: it lends no more, waits for the leases that are out
// and closes every connection. ctx only says whether the user is waiting for
// that: it has ended already if it was Ctrl-C that brought us here.
func drain[T any](ctx context.Context, out io.Writer, pool *connpool.Pool[T]) error {
	interrupted := ctx.Err() != nil
	if interrupted {
		fmt.Fprintln(out, "\nInterrupted: draining the pool ...")
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := pool.Shutdown(patience); err != nil {
		return err
	}
	if interrupted {
		fmt.Fprintf(out, "Drained: every lease has ended, %d connections are closed.\n", pool.Stats().Closes[connpool.ClosedPool])
	}
	return nil
}
