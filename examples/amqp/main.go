// Amqp uses a pool of AMQP channels that share a few connections to RabbitMQ:
// publishings from many goroutines, each confirmed by the broker; a channel that the
// broker closes; and a broker that is killed and started again under load.
//
//	go run .
//	AMQP_URL=amqp://user:password@host/vhost go run .
//
// Without AMQP_URL it starts a private broker, if RabbitMQ is installed, and removes
// it when it ends. On a broker of yours it makes one queue, which it deletes, and
// kills nothing.
//
// The client multiplexes channels over a connection. It asks its users not to share a
// channel among goroutines, and the broker asks them not to open a connection for
// each. So there are two levels. The pool lends channels: it bounds them, has those
// queue who find none, replaces the dead, and knows who holds what. Below it is a
// small table of connections (see connections.go), in which each channel has a
// share, at most -each in one.
//
//   - A connection is dialled when all others are full, once for all who come in
//     the meantime, and closed with its last channel.
//   - When it breaks, its channels are found dead without a round trip, whether
//     they are idle or come back, and the next one opened dials anew.
//   - An error of a channel costs that channel and no other.
//   - A channel on which publishings are unconfirmed is not lent again, and neither
//     is one that somebody has consumed on.
//
// The pool repeats nothing. Whether to publish again what may have arrived is for
// the caller to say; here it does, so messages arrive at least once.
//
// What to copy into a program of one's own is in pool.go, channel.go, confirm.go,
// health.go, connections.go, connection.go and dial.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	channels, each       int
	publishers, messages int
	before, after        time.Duration
	downAfter            time.Duration
}

func parseFlags() (o options) {
	flag.IntVar(&o.channels, "channels", 12, "channels in the pool")
	flag.IntVar(&o.each, "each", 5, "most channels on one connection")
	flag.IntVar(&o.publishers, "publishers", 64, "goroutines that publish")
	flag.IntVar(&o.messages, "messages", 5000, "messages of all of them")
	flag.DurationVar(&o.before, "before", time.Second, "load before the broker is killed")
	flag.DurationVar(&o.after, "after", time.Second, "load after it is back")
	flag.DurationVar(&o.downAfter, "down-after", 30*time.Second,
		"how long dials may fail before the pool fails its callers; negative: for ever")
	flag.Parse()
	return o
}

func (o options) validate() error {
	if min(o.channels, o.publishers, o.each) < 1 || o.each > math.MaxUint16 {
		return fmt.Errorf("-channels, -publishers and -each must be at least 1, and -each at most %d", math.MaxUint16)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqp:", err)
		os.Exit(1)
	}
}

// run ends early, and well, when ctx does. Either way it leaves nothing behind.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	broker, err := findBroker(ctx, out)
	if err != nil {
		return unlessStopped(ctx, out, err)
	}
	defer func() { err = errors.Join(err, broker.stop()) }()
	app, err := newApp(out, broker, o)
	if err != nil {
		return err
	}
	return errors.Join(unlessStopped(ctx, out, app.tour(ctx)), app.shutdown(ctx))
}

// unlessStopped returns the error of what ctx may have cut short: being stopped
// is none.
func unlessStopped(ctx context.Context, out io.Writer, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(out, "\nStopped early.")
	return nil
}
