package netconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Do runs one request on a connection under a context, and returns its error.
// The connection's deadline is the context's while the request runs, and is
// cleared afterwards. When the context is cancelled, reads and writes that wait
// return at once. If the context has ended already, the request is not run.
//
// A request returns nil when it has read the whole of its reply, and then the
// connection can be used for the next, even if the context ended in the very
// moment. If it returns an error and the context has ended, Do's error matches
// both and context.Cause: then nobody knows what is still on its way, and the
// connection must be closed. Pool.Do and ReleaseErr do that, because
// their IsBad matches context errors by default.
//
// The request must not set deadlines and must not go on using the connection
// once it has returned. Do works on every net.Conn whose deadlines work; over
// TLS too, where a write that is cut short breaks the connection for good.
func Do(ctx context.Context, conn net.Conn, request func() error) (err error) {
	if ended := ctx.Err(); ended != nil {
		return interrupted(ctx, ended, errNotRun)
	}
	deadline, limited := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	w := watch{conn: conn}
	w.begin(ctx)
	defer func() {
		// If the request has failed, its error says enough about the connection.
		if cleared := w.end(); err == nil {
			err = cleared
		}
	}()
	err = request()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return interrupted(ctx, ctx.Err(), err)
	case limited && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline):
		// The connection's timer was faster than the context's.
		return interrupted(ctx, context.DeadlineExceeded, err)
	}
	return err
}

var errNotRun = errors.New("nothing was sent")

// interrupted returns the error of a request whose context has ended.
func interrupted(ctx context.Context, ended, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(ended, cause) {
		return fmt.Errorf("netconn: request interrupted: %w (%w): %w", ended, cause, err)
	}
	return fmt.Errorf("netconn: request interrupted: %w: %w", ended, err)
}

// watch interrupts a connection's reads and writes when a context ends.
//
// Two race for the connection's deadline when a request ends: the cancellation,
// which sets it to the past, and the end of the watch, which clears it for the
// next user. stop decides: either the cancellation never runs, or end waits until
// it has and clears after it.
type watch struct {
	conn    net.Conn
	stop    func() bool    // nil if the context cannot end
	running sync.WaitGroup // the cancellation, until it has run
}

func (w *watch) begin(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	w.running.Add(1)
	w.stop = context.AfterFunc(ctx, w.interrupt)
}

// interrupt makes reads and writes return. It fails only on a connection that is
// closed, where none waits.
func (w *watch) interrupt() {
	defer w.running.Done()
	_ = w.conn.SetDeadline(longAgo)
}

func (w *watch) end() error {
	if w.stop != nil && !w.stop() {
		w.running.Wait()
	}
	return w.conn.SetDeadline(time.Time{})
}
