// Sizing answers how many connections a service should have: by arithmetic, by
// Recommend, and by a pool that finds its size while it works. There is no
// server.
//
//	go run ./examples/sizing
//	go run ./examples/sizing -rate 400 -hold 20ms -instances 8
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
	service connpool.Workload
	phase   time.Duration
}

// parseFlags describes the service: by default a web service with four
// instances, on a database that takes 100 connections.
func parseFlags() (o options) {
	s := &o.service
	flag.Float64Var(&s.Rate, "rate", 200, "requests a second that one instance serves at its peak")
	flag.DurationVar(&s.Hold, "hold", 25*time.Millisecond, "how long a request holds a connection")
	flag.DurationVar(&s.MaxWait, "max-wait", 10*time.Millisecond, "acceptable wait for a connection")
	flag.Float64Var(&s.WaitRisk, "wait-risk", 0.01, "share of the requests that may wait longer")
	flag.IntVar(&s.Instances, "instances", 4, "instances of the service")
	flag.IntVar(&s.ServerMax, "server-max", 100, "connections that the server takes")
	flag.IntVar(&s.Reserved, "reserved", 10, "how many of them others need")
	flag.IntVar(&s.ServerCores, "cores", 16, "the server's cores")
	flag.IntVar(&s.ServerSpindles, "spindles", 1, "the server's disks")
	flag.IntVar(&s.ConnsPerRequest, "conns-per-request", 1, "connections that one request holds at a time")
	flag.IntVar(&s.Callers, "callers", 50, "requests that one instance may serve at the same time")
	flag.DurationVar(&o.phase, "phase", 1500*time.Millisecond, "how long each of the live pool's loads lasts")
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
		fmt.Fprintln(os.Stderr, "sizing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	if err := printFormulas(out, o.service); err != nil {
		return err
	}
	printRecommendations(out, o.service)
	printLint(out, o.service)
	return runLive(ctx, out, o)
}

func headline(out io.Writer, text string) { fmt.Fprintf(out, "\n== %s\n\n", text) }
