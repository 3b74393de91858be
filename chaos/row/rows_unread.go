package row

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/puddle/v2"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/servertest"
	"github.com/connpool/connpool/netconn"
)

// wires is a pool of plain connections, with no driver to notice anything.
type wires struct {
	borrow func(context.Context) (net.Conn, func(), error)
	close  func()
}

type wireDial = func(context.Context) (net.Conn, error)

func (t *Trial) openWires(dial wireDial, edit func(*connpool.Config[net.Conn])) wires {
	if t.Ours() {
		return t.ourWires(dial, edit)
	}
	return t.puddleWires(dial)
}

func (t *Trial) ourWires(dial wireDial, edit func(*connpool.Config[net.Conn])) wires {
	cfg := connpool.Config[net.Conn]{Connect: dial, MaxSize: 1}
	edit(&cfg)
	own, err := connpool.New(cfg)
	t.Must(err, "opening the pool")
	borrow := func(ctx context.Context) (net.Conn, func(), error) {
		lease, err := own.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		return lease.Conn(), lease.Release, nil
	}
	return wires{borrow, func() { t.Must(own.Shutdown(t.For(patience)), "shutting down") }}
}

func (t *Trial) puddleWires(dial wireDial) wires {
	rival, err := puddle.NewPool(&puddle.Config[net.Conn]{
		Constructor: dial,
		Destructor:  func(c net.Conn) { _ = c.Close() },
		MaxSize:     1,
	})
	t.Must(err, "opening the pool")
	borrow := func(ctx context.Context) (net.Conn, func(), error) {
		res, err := rival.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		return res.Value(), res.Release, nil
	}
	return wires{borrow, rival.Close}
}

func unreadReplies(t *Trial) {
	t.unreadFromRedis()
	if t.Ours() {
		t.unreadOverTLS()
	}
}

func (t *Trial) unreadFromRedis() {
	redis, err := servertest.StartRedis(context.WithoutCancel(t.ctx))
	if errors.Is(err, servertest.ErrNotInstalled) {
		t.lackPart("Redis", err.Error())
		return
	}
	t.Must(err, "starting Redis")
	t.Cleanup(func() { t.Must(redis.Stop(), "stopping Redis") })
	w := t.openWires(func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", redis.Addr())
	}, func(c *connpool.Config[net.Conn]) { c.Alive, c.Clean = netconn.Alive, netconn.Alive })
	defer w.close()
	t.countWrong(w, "Redis", 200, false)
	// A reply that comes only after the connection has been returned.
	t.countWrong(w, "Redis, late", 50, true)
}

// countWrong has one user leave a reply behind and the next one ask a question,
// so many times.
func (t *Trial) countWrong(w wires, what string, rounds int, late bool) {
	wrong := 0
	for range rounds {
		t.Must(t.leaveReply(w, late), what+": leaving a reply")
		if late {
			time.Sleep(time.Millisecond)
		}
		answer, err := t.askOnce(w, "ECHO mine\r\n", 2)
		t.Must(err, what+": the next user")
		if answer != "mine" {
			wrong++
		}
	}
	t.Sawf("%s: %d of %d got another's reply", what, wrong, rounds)
	t.Require(wrong == 0, "served another's reply")
}

// leaveReply asks two questions and reads one answer, or asks one and returns
// the connection before the answer can have come.
func (t *Trial) leaveReply(w wires, late bool) error {
	conn, release, err := w.borrow(t.For(patience))
	if err != nil {
		return err
	}
	defer release()
	if late {
		_, err = io.WriteString(conn, "PING\r\n")
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\nECHO theirs\r\n"); err != nil {
		return err
	}
	pong := make([]byte, len("+PONG\r\n"))
	if _, err := io.ReadFull(conn, pong); err != nil {
		return err
	}
	// The second answer is on its way behind the first. A pool can only find
	// what has come: the rest is what the late rounds are about.
	time.Sleep(200 * time.Microsecond)
	return nil
}

// askOnce borrows, asks, and reads an answer of so many lines, of which it
// returns the last.
func (t *Trial) askOnce(w wires, question string, lines int) (answer string, err error) {
	conn, release, err := w.borrow(t.For(patience))
	if err != nil {
		return "", err
	}
	defer release()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	defer conn.SetReadDeadline(time.Time{}) //nolint:errcheck // a closed one is found out by the pool
	if _, err := io.WriteString(conn, question); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(conn, 16)
	for range lines {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		answer = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(answer, "+") {
			return answer, nil // a reply of one line: somebody else's
		}
	}
	return answer, nil
}

// unreadOverTLS: below TLS there are bytes that are nobody's reply, so peeking
// does not do. What does is a Reset that makes a round trip whose answer can be
// no other's.
func (t *Trial) unreadOverTLS() {
	addr, roots := t.startTLSEcho()
	serial := 0
	w := t.openWires(func(ctx context.Context) (net.Conn, error) {
		return dialTLS(ctx, addr, roots)
	}, func(c *connpool.Config[net.Conn]) {
		c.Reset = func(_ context.Context, conn net.Conn) error {
			serial++ // pool of 1, so one at a time
			return echoes(conn, fmt.Sprintf("reset %d\n", serial))
		}
	})
	defer w.close()
	const rounds = 50
	wrong := 0
	for range rounds {
		conn, release, err := w.borrow(t.For(patience))
		t.Must(err, "TLS: borrowing")
		_, err = io.WriteString(conn, "theirs\n")
		t.Must(err, "TLS: leaving a reply")
		release()
		conn, release, err = w.borrow(t.For(patience))
		t.Must(err, "TLS: the next user")
		if echoes(conn, "mine\n") != nil {
			wrong++
		}
		release()
	}
	t.Sawf("TLS: %d of %d got another's reply", wrong, rounds)
	t.Require(wrong == 0, "TLS: served another's reply")
}

var errOther = errors.New("the answer is to another question")

// echoes asks an echo for a line, and checks that this is what comes.
func echoes(conn net.Conn, line string) error {
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, line); err != nil {
		return err
	}
	got := make([]byte, len(line))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != line {
		return errOther
	}
	return nil
}
