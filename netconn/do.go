package netconn

import (
	"context"
	"errors"
	"fmt"
	"io"
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
// moment. It may also close its connection as its last act: that is no error.
//
// If it returns an error and the context has ended, Do's error matches
// both and context.Cause. Then nobody knows what is still on its way, and the
// connection must be closed. A *Conn sees to that itself, unless nothing was read
// or written. With other connections Pool.Do and ReleaseErr do it, because their
// IsBad matches context errors by default.
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
	ended := error(nil)
	defer func() {
		cleared := w.end()
		if err == nil && !gone(cleared) { // otherwise its error says enough
			err = cleared
		}
	}()
	err = request()
	if err != nil {
		ended = ctx.Err()
		if ended == nil && limited && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
			ended = context.DeadlineExceeded // the connection's timer was faster than the context's
		}
	}
	if c := noted(conn); c != nil {
		c.exchanged(err, ended != nil)
	}
	if ended != nil {
		return interrupted(ctx, ended, err)
	}
	return err
}

// gone reports whether a deadline could not be cleared because the request has
// closed the connection: that is no failure of the request.
func gone(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) }

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
