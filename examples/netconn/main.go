// Netconn keeps a load running over pooled TCP connections while the server is
// restarted under it. Only requests that are under way when the server goes
// down fail: nobody is lent a connection that has died, and who comes while the
// server is away waits until it is back. No request is repeated.
//
//	go run ./examples/netconn
//	go run ./examples/netconn -down 3s -workers 32
//
// It exits with status 1 if any other request fails. To see that happen, let
// the pool give up on the server while it is down:
//
//	go run ./examples/netconn -down 3s -down-after 1s
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
)

type options struct {
	workers, size       int
	before, down, after time.Duration
	downAfter           time.Duration
}

func parseFlags() (o options) {
	flag.IntVar(&o.workers, "workers", 16, "requests at once")
	flag.IntVar(&o.size, "size", 8, "connections in the pool")
	flag.DurationVar(&o.before, "before", time.Second, "load before the server goes down")
	flag.DurationVar(&o.down, "down", 500*time.Millisecond, "how long it stays down")
	flag.DurationVar(&o.after, "after", time.Second, "load after it is back")
	flag.DurationVar(&o.downAfter, "down-after", 20*time.Second,
		"how long dials may fail before the pool fails its callers; negative: for ever")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "netconn:", err)
		os.Exit(1)
	}
}

// run ends early when ctx does; what failed until then counts all the same.
func run(ctx context.Context, out io.Writer, o options) error {
	server, err := startServer("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { server.Stop() }() // whichever is the one by then
	diary := &diary{out: out, began: time.Now()}
	pool, err := newPool(server.Addr(), o.size, o.downAfter, diary.trace())
	if err != nil {
		return err
	}
	defer pool.Close() // after Shutdown it does nothing

	fmt.Fprintf(out, "%d workers on up to %d connections to %s.\n\n", o.workers, o.size, server.Addr())
	load := startLoad(ctx, pool, o.workers)
	server, down, err := restart(ctx, server, o, diary)
	load.finish()
	if ctx.Err() != nil {
		diary.say("interrupted: draining the pool")
	}
	if err != nil {
		return err
	}
	stats := pool.Stats()
	if err := shutdown(ctx, pool); err != nil {
		return err
	}
	return report(out, load, down, stats)
}

func shutdown(ctx context.Context, pool *connpool.Pool[*conn]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return pool.Shutdown(ctx)
}
