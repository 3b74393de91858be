package main

import (
	"context"
	"time"

	"github.com/connpool/connpool/examples/internal/tcpserver"
)

// outage is when the server went down: from when it began to until the last of
// its clients had been told. It is zero if that never came.
type outage struct{ began, complete time.Time }

// restart stops the server, starts another on the same port a moment later, and
// returns the one that is left when the time of the load is over, or ctx.
func restart(ctx context.Context, server *tcpserver.Server, o options, diary *diary) (*tcpserver.Server, outage, error) {
	if !sleep(ctx, o.before) {
		return server, outage{}, nil
	}
	diary.say("server: going down")
	down := outage{began: time.Now()}
	cut := server.Stop()
	down.complete = time.Now()
	diary.say("server: down, %d connections cut", cut)
	if !sleep(ctx, o.down) {
		return server, down, nil
	}
	again, err := startServer(server.Addr())
	if err != nil {
		return server, down, err
	}
	diary.say("server: up again")
	sleep(ctx, o.after)
	return again, down, nil
}

// sleep reports whether it slept so long, rather than until ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
