package netconn_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// What to begin with: the pool's connections know what has happened to them, and Do
// has the context reach every read and write. Nobody gets the reply to another's
// request, whichever way this one ends.
func Example() {
	address, stop := serveLines()
	defer stop()
	pool, err := connpool.New(netconn.PoolConfig("tcp", address, netconn.Options{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	request := func(ctx context.Context, line string) (reply string, err error) {
		err = pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
			return netconn.Do(ctx, conn, func() error {
				reply, err = ask(conn, line)
				return err
			})
		})
		return reply, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fmt.Println(request(ctx, "hello"))
	fmt.Println(request(ctx, "again"))
	fmt.Println("connections opened:", pool.Stats().Connects)
	// Output:
	// you said hello <nil>
	// you said again <nil>
	// connections opened: 1
}

// The connection knows whose error it is: that of a cache which cannot be reached
// costs no connection.
func ExampleConn_IsBad() {
	address, stop := serveLines()
	defer stop()
	pool, err := connpool.New(netconn.PoolConfig("tcp", address, netconn.Options{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	for range 3 {
		err := pool.Do(context.Background(), func(ctx context.Context, conn net.Conn) error {
			err := netconn.Do(ctx, conn, func() error {
				_, err := ask(conn, "hello")
				return err
			})
			if err != nil {
				return err
			}
			return &net.OpError{Op: "dial", Net: "cache", Err: errors.New("refused")}
		})
		fmt.Println(err)
	}
	fmt.Println("connections opened:", pool.Stats().Connects)
	// Output:
	// dial cache: refused
	// dial cache: refused
	// dial cache: refused
	// connections opened: 1
}

// The server hangs up after QUIT, a moment after it has said goodbye: the next
// user gets another connection.
func ExampleOptions_goodbye() {
	address, stop := serveLines()
	defer stop()
	dialer := netconn.Dialer{Options: netconn.Options{Goodbye: []string{"QUIT"}}}
	defer dialer.Close()

	for range 2 {
		conn, err := dialer.Dial("tcp", address)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(ask(conn, "hello"))
		fmt.Println(ask(conn, "quit"))
		conn.Close()
	}
	fmt.Println("connections opened:", dialer.Stats()[0].Connects)
	// Output:
	// you said hello <nil>
	// you said quit <nil>
	// you said hello <nil>
	// you said quit <nil>
	// connections opened: 2
}

// A client of a protocol of lines: the pool opens connections, and every request
// runs under its caller's context.
func ExamplePoolConfig() {
	address, stop := serveLines()
	defer stop()

	cfg := netconn.PoolConfig("tcp", address, netconn.Options{
		Check: func(_ context.Context, conn net.Conn) error {
			_, err := ask(conn, "ping")
			return err
		},
	})
	cfg.MaxSize = 16
	pool, err := connpool.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	for _, word := range []string{"one", "two", "three"} {
		var reply string
		err := pool.Do(context.Background(), func(ctx context.Context, conn net.Conn) error {
			return netconn.Do(ctx, conn, func() (err error) {
				reply, err = ask(conn, word)
				return err
			})
		})
		fmt.Println(reply, err)
	}
	fmt.Println("connections opened:", pool.Stats().Connects)
	// Output:
	// you said one <nil>
	// you said two <nil>
	// you said three <nil>
	// connections opened: 1
}

// A request that its caller gives up takes its connection with it: the reply that
// comes late reaches nobody.
func ExampleDo() {
	address, stop := serveLines()
	defer stop()
	pool, err := connpool.New(netconn.PoolConfig("tcp", address, netconn.Options{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	request := func(ctx context.Context, line string) (reply string, err error) {
		err = pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
			return netconn.Do(ctx, conn, func() error {
				reply, err = ask(conn, line)
				return err
			})
		})
		return reply, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = request(ctx, "slow")
	fmt.Println("given up:", errors.Is(err, context.DeadlineExceeded))
	fmt.Println(request(context.Background(), "next"))
	// Output:
	// given up: true
	// you said next <nil>
}

// In a Config of one's own, for connections that carry more than a net.Conn:
// Alive finds what has died, and Clean what has been left unread.
func ExampleAlive() {
	type session struct {
		net.Conn
		replies *bufio.Reader
	}
	address, stop := serveLines()
	defer stop()
	silent := func(s session) error {
		if s.replies.Buffered() > 0 {
			return netconn.ErrUnread
		}
		return netconn.Alive(s.Conn)
	}
	pool, err := connpool.New(connpool.Config[session]{
		Connect: func(ctx context.Context) (session, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", address)
			return session{conn, bufio.NewReader(conn)}, err
		},
		Alive: silent,
		Clean: func(s session) error {
			if err := silent(s); !errors.Is(err, connpool.ErrUnsure) {
				return err
			}
			return nil // the next hand-out will ask again
		},
		// Where Alive cannot tell, this is asked before a connection is lent.
		Check: func(ctx context.Context, s session) error {
			return netconn.Do(ctx, s.Conn, func() error {
				fmt.Fprintln(s, "ping")
				_, err := s.replies.ReadString('\n')
				return err
			})
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	err = pool.Do(context.Background(), func(_ context.Context, s session) error {
		fmt.Println("alive:", netconn.Alive(s.Conn))
		fmt.Fprintln(s, "hello")
		if _, err := s.replies.Peek(1); err != nil { // and leaves the reply there
			return err
		}
		fmt.Println("clean:", silent(s))
		return nil
	})
	fmt.Println(err)
	// Output:
	// alive: <nil>
	// clean: netconn: there are unread bytes on the connection
	// <nil>
}

// Code that dials and closes for every request, given a Dialer's DialContext,
// uses one connection instead.
func ExampleDialer() {
	address, stop := serveLines()
	defer stop()
	var dialer netconn.Dialer
	defer dialer.Close()

	request := func(dial func(network, address string) (net.Conn, error), line string) (string, error) {
		conn, err := dial("tcp", address)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return ask(conn, line)
	}
	for _, word := range []string{"one", "two", "three"} {
		fmt.Println(request(dialer.Dial, word))
	}
	fmt.Println("connections opened:", dialer.Stats()[0].Connects)
	// Output:
	// you said one <nil>
	// you said two <nil>
	// you said three <nil>
	// connections opened: 1
}

// Whose connection has a reply on its way closes it for good.
func ExampleConn_Discard() {
	address, stop := serveLines()
	defer stop()
	var dialer netconn.Dialer
	defer dialer.Close()

	for _, word := range []string{"slow", "next"} {
		conn, err := dialer.Dial("tcp", address)
		if err != nil {
			fmt.Println(err)
			return
		}
		if word == "slow" { // and nobody waits for the reply
			fmt.Fprintln(conn, word)
			conn.(*netconn.Conn).Discard()
			continue
		}
		fmt.Println(ask(conn, word))
		conn.Close()
	}
	fmt.Println("connections opened:", dialer.Stats()[0].Connects)
	// Output:
	// you said next <nil>
	// connections opened: 2
}

// A Unix socket, and a server whose greeting has to be read first.
func ExampleOptions() {
	dir, err := os.MkdirTemp("", "netconn")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "welcome")
			go answerLines(conn)
		}
	}()

	pool, err := connpool.New(netconn.PoolConfig("unix", listener.Addr().String(), netconn.Options{
		Handshake: func(_ context.Context, conn net.Conn) error {
			greeting, err := readLine(conn)
			fmt.Println("greeted:", greeting)
			return err
		},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	for _, word := range []string{"one", "two"} {
		err := pool.Do(context.Background(), func(_ context.Context, conn net.Conn) error {
			reply, err := ask(conn, word)
			fmt.Println(reply)
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// greeted: welcome
	// you said one
	// you said two
}

// TLS, with a cache of the program's own for sessions: the second connection
// resumes the session of the first, whose certificate is not verified again. The
// TLS connection is below the one that is lent.
func ExampleOptions_tls() {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	pool, err := connpool.New(netconn.PoolConfig("tcp", server.Listener.Addr().String(), netconn.Options{
		TLS: &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	for range 2 {
		err := pool.Do(context.Background(), func(ctx context.Context, conn net.Conn) error {
			return netconn.Do(ctx, conn, func() error {
				fmt.Fprint(conn, "HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n")
				reply, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "HEAD"})
				if err != nil {
					return err
				}
				state := conn.(*netconn.Conn).NetConn().(*tls.Conn).ConnectionState()
				fmt.Println(reply.Status, "resumed:", state.DidResume)
				return conn.Close() // to have another opened
			})
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 404 Not Found resumed: false
	// 404 Not Found resumed: true
}

// ask sends a line and returns the line that answers it. A connection that is
// pooled as a net.Conn must not be read further than that: it reads by the byte,
// where a client of its own type would keep a bufio.Reader with its connection.
func ask(conn net.Conn, line string) (string, error) {
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	return readLine(conn)
}

func readLine(conn net.Conn) (string, error) {
	var reply []byte
	for b := make([]byte, 1); ; reply = append(reply, b[0]) {
		if _, err := io.ReadFull(conn, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(reply), nil
		}
	}
}

// serveLines starts a server that answers every line, and "slow" slowly.
func serveLines() (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerLines(conn)
		}
	}()
	return listener.Addr().String(), func() { listener.Close() }
}

func answerLines(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() == "slow" {
			time.Sleep(50 * time.Millisecond)
		}
		fmt.Fprintln(conn, "you said", lines.Text())
		if lines.Text() == "quit" {
			return
		}
	}
}
