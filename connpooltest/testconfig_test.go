package connpooltest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/connpooltest"
)

type config = connpool.Config[*session]

// try runs TestConfig in a bubble, where what hangs takes no time, and returns
// what it says.
func try(t *testing.T, edit func(*config, *server)) (says *recorder, s *server) {
	says, s = &recorder{TB: t}, newServer()
	synctest.Test(t, func(*testing.T) {
		s.release = make(chan struct{})
		cfg := s.config()
		edit(&cfg, s)
		connpooltest.TestConfig(says, cfg)
		close(s.release)
		time.Sleep(time.Minute) // until all that dawdled is done
	})
	return says, s
}

func TestAGoodConfigPasses(t *testing.T) {
	for name, edit := range map[string]func(*config, *server){
		"with everything": func(*config, *server) {},
		"with the least":  func(c *config, s *server) { *c = config{Connect: s.connect, Close: s.close} },
		"a slow one":      func(c *config, s *server) { c.Connect = s.slowly },
		"an Alive that is unsure": func(c *config, s *server) {
			c.Alive = func(*session) error { return connpool.ErrUnsure }
		},
		"minimums, and limits that are off": func(c *config, s *server) {
			c.MinSize, c.MinIdle, c.ConnectTimeout, c.CheckTimeout, c.CloseTimeout = 2, 1, -1, -1, -1
		},
		"a goroutine that is started once": func(c *config, s *server) {
			var started atomic.Bool
			c.Connect = func(ctx context.Context) (*session, error) {
				if !started.Swap(true) {
					go func() { <-s.release }()
				}
				return s.connect(ctx)
			}
		},
		"a goroutine a connection, that ends with it": func(c *config, s *server) {
			ends := make(map[*session]chan struct{}) // one callback at a time
			c.Connect = func(ctx context.Context) (*session, error) {
				conn, err := s.connect(ctx)
				if err == nil {
					ends[conn] = make(chan struct{})
					go func(end chan struct{}) { <-end; time.Sleep(time.Second) }(ends[conn])
				}
				return conn, err
			}
			c.Close = func(ctx context.Context, conn *session) error {
				if !conn.closed.Load() {
					close(ends[conn])
				}
				return s.close(ctx, conn)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			says, s := try(t, edit)
			require.Empty(t, says.faults)
			require.Positive(t, s.opened.Load())
			require.Equal(t, s.opened.Load(), s.closed.Load(), "every connection is closed")
		})
	}
}

// A bad Config has one fault, which is found and named, and no other is.
func TestEachFaultOfAConfigIsNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		says []string
		edit func(*config, *server)
	}{
		{"no pool can be made", []string{"New refuses the Config: connpool: bad Config: MaxSize is -1: use 0 for the default, or a positive number"},
			func(c *config, s *server) { c.MaxSize = -1 }},
		{"Connect fails", []string{"Connect failed: dial postgres://bob:xxxxx@db/orders: refused"},
			func(c *config, s *server) {
				c.Connect = func(context.Context) (*session, error) {
					return nil, errors.New("dial postgres://bob:hunter2@db/orders: refused")
				}
			}},
		{"Connect returns nothing", []string{"Connect returned a nil connection and no error"},
			func(c *config, s *server) { c.Connect = func(context.Context) (*session, error) { return nil, nil } }},
		{"Connect returns a connection with an error", []string{"Connect returned a connection together with an error"},
			func(c *config, s *server) {
				c.Connect = func(ctx context.Context) (*session, error) {
					conn, _ := s.connect(context.Background())
					return conn, ctx.Err()
				}
			}},
		{"Connect returns the same connection", []string{"two Connects returned the same connection"},
			func(c *config, s *server) {
				var shared *session
				c.Connect = func(ctx context.Context) (_ *session, err error) {
					if shared == nil || shared.closed.Load() {
						shared, err = s.connect(ctx)
					}
					return shared, err
				}
			}},
		{"Connect does not look at its context", []string{"Connect succeeded though its context had been cancelled before it began: it does not look at its context"},
			func(c *config, s *server) {
				c.Connect = func(context.Context) (*session, error) { return s.connect(context.Background()) }
			}},
		{"Connect looks at its context only before", []string{"Connect did not return within 2s of its context's end (it ended meanwhile)"},
			func(c *config, s *server) {
				c.Connect = func(ctx context.Context) (*session, error) {
					if ctx.Err() != nil {
						return nil, ctx.Err()
					}
					time.Sleep(9 * time.Second)
					return s.connect(context.Background())
				}
			}},
		{"Connect waits when it should not begin", []string{"Connect did not return within 2s of its context's end (it had ended before)"},
			func(c *config, s *server) {
				c.Connect = func(ctx context.Context) (*session, error) {
					if ctx.Err() != nil {
						time.Sleep(3 * time.Second)
					}
					return s.connect(ctx)
				}
			}},
		{"IsBad blames a connection for another pool", []string{"IsBad counts the failure of another acquire as bad, if a timeout is why"},
			func(c *config, s *server) {
				c.IsBad = func(err error) bool {
					var netErr net.Error
					return errors.Is(err, connpool.ErrBadConn) || errors.As(err, &netErr)
				}
			}},
		{"every error is bad", nil, func(c *config, s *server) { c.IsBad = func(error) bool { return true } }},
		{"a connection dies of its dial's context, at once", []string{"a connection works until the context of the Connect that opened it ends: then Alive says session is closed"},
			func(c *config, s *server) {
				c.Connect = func(ctx context.Context) (*session, error) {
					conn, err := s.connect(ctx)
					if err == nil {
						context.AfterFunc(ctx, func() { s.close(context.Background(), conn) })
					}
					return conn, err
				}
			}},
		{"a connection dies of its dial's context, a little later", []string{"a connection works until the context of the Connect that opened it ends: then Check says session is closed"},
			func(c *config, s *server) {
				c.Alive = nil
				c.Connect = func(ctx context.Context) (*session, error) {
					conn, err := s.connect(ctx)
					if err == nil {
						context.AfterFunc(ctx, func() {
							time.Sleep(50 * time.Millisecond)
							s.close(context.Background(), conn)
						})
					}
					return conn, err
				}
			}},
		{"Connect hangs", []string{"Connect did not return within 10s"},
			func(c *config, s *server) {
				c.Connect = func(ctx context.Context) (*session, error) { <-s.release; return s.connect(ctx) }
			}},
		{"Connect panics", []string{"connpool: Connect panicked: no server"},
			func(c *config, s *server) { c.Connect = func(context.Context) (*session, error) { panic("no server") } }},
		{"Connect calls Goexit", []string{"Connect called runtime.Goexit"},
			func(c *config, s *server) {
				c.Connect = func(context.Context) (*session, error) { runtime.Goexit(); return nil, nil }
			}},
		{"Connect leaves goroutines", []string{
			"1 goroutine(s) left behind by Connect, tried with a connection that is closed: in ",
			"1 goroutine(s) left behind by Connect, tried with a connection that is used and closed: in ",
			"12 goroutine(s) left behind by Connect, tried with a context that ends: in ",
			"2 goroutine(s) left behind by Connect, tried with a context that has ended: in ",
			"2 goroutine(s) left behind by Connect, tried with two connections: in ",
		}, func(c *config, s *server) {
			c.Connect = func(ctx context.Context) (*session, error) {
				conn, err := s.connect(ctx)
				if err == nil {
					go func() { <-s.release }()
				}
				return conn, err
			}
		}},

		{"Close fails", []string{"Close of a connection that works failed: session is closed"},
			func(c *config, s *server) {
				c.Close = func(ctx context.Context, conn *session) error { s.close(ctx, conn); return errClosed }
			}},
		{"a second Close panics", []string{"connpool: Close panicked: close of closed session"},
			func(c *config, s *server) {
				c.Close = func(ctx context.Context, conn *session) error {
					if conn.closed.Load() {
						panic("close of closed session")
					}
					return s.close(ctx, conn)
				}
			}},
		{"Close hangs", []string{"Close did not return within 5s"},
			func(c *config, s *server) {
				c.Close = func(ctx context.Context, conn *session) error { <-s.release; return s.close(ctx, conn) }
			}},
		{"Close closes them all", []string{
			"closing one connection, twice, broke another: Alive says session is closed",
			"closing one connection, twice, broke another: Check says session is closed",
		}, func(c *config, s *server) {
			var all *atomic.Bool
			c.Connect = func(ctx context.Context) (*session, error) {
				conn, err := s.connect(ctx)
				if err == nil {
					if all == nil || all.Load() {
						all = new(atomic.Bool)
					}
					conn.broken = all
				}
				return conn, err
			}
			c.Close = func(ctx context.Context, conn *session) error {
				conn.broken.Store(true)
				return s.close(ctx, conn)
			}
		}},

		{"Alive refuses", []string{"Alive refuses a connection that works (just opened): session is closed"},
			func(c *config, s *server) { c.Alive = func(*session) error { return errClosed } }},
		{"Alive is unsure and there is no Check", []string{"Alive answers ErrUnsure, and there is no Check to ask then"},
			func(c *config, s *server) {
				c.Alive, c.Check = func(*session) error { return connpool.ErrUnsure }, nil
			}},
		{"Alive notices nothing", []string{"Alive passes a connection that has been closed"},
			func(c *config, s *server) { c.Alive = func(*session) error { return nil } }},
		{"Alive blocks", []string{"Alive did not return within 2s"},
			func(c *config, s *server) { c.Alive = func(*session) error { <-s.release; return nil } }},
		{"Alive panics", []string{"connpool: Alive panicked: dead"},
			func(c *config, s *server) { c.Alive = func(*session) error { panic("dead") } }},

		{"Check refuses", []string{"Check refuses a connection that works (just opened): session is closed"},
			func(c *config, s *server) { c.Check = func(context.Context, *session) error { return errClosed } }},
		{"Check notices nothing", []string{"Check passes a connection that has been closed"},
			func(c *config, s *server) { c.Check = func(ctx context.Context, _ *session) error { return ctx.Err() } }},
		{"Check does not look at its context", []string{"Check succeeded though its context had been cancelled before it began: it does not look at its context"},
			func(c *config, s *server) {
				c.Check = func(_ context.Context, conn *session) error { return conn.state() }
			}},
		{"Check hangs", []string{"Check did not return within 1s", "Check did not return within 2s of its context's end (it had ended before)",
			"Check did not return within 2s of its context's end (it ended meanwhile)"},
			func(c *config, s *server) {
				c.CheckTimeout = time.Second
				c.Check = func(context.Context, *session) error { <-s.release; return nil }
			}},
		{"Check calls Goexit", []string{"Check called runtime.Goexit"},
			func(c *config, s *server) {
				c.Check = func(context.Context, *session) error { runtime.Goexit(); return nil }
			}},

		{"Clean refuses", []string{"Clean refuses a connection that works (that nobody has used): session is closed"},
			func(c *config, s *server) { c.Clean = func(*session) error { return errClosed } }},
		{"Clean panics", []string{"connpool: Clean panicked: dirty"},
			func(c *config, s *server) { c.Clean = func(*session) error { panic("dirty") } }},
		{"Prepare refuses", []string{"Prepare refuses a connection that works (that nobody has used): session is closed"},
			func(c *config, s *server) { c.Prepare = func(context.Context, *session) error { return errClosed } }},
		{"Prepare hangs", []string{"Prepare did not return within 5s"},
			func(c *config, s *server) {
				c.Prepare = func(context.Context, *session) error { <-s.release; return nil }
			}},

		{"Reset refuses", []string{"Reset refuses a connection that works (that nobody has used): session is closed"},
			func(c *config, s *server) { c.Reset = func(context.Context, *session) error { return errClosed } }},
		{"Reset closes", []string{"after Reset the connection is of no use: Alive says session is closed"},
			func(c *config, s *server) {
				c.Reset = func(ctx context.Context, conn *session) error { return errors.Join(conn.use(ctx), s.close(ctx, conn)) }
			}},
		{"Reset leaves something behind", []string{"Reset leaves something behind: Clean says unread reply"},
			func(c *config, s *server) {
				unread := make(map[*session]bool) // one callback at a time
				c.Clean = func(conn *session) error {
					if unread[conn] {
						return errors.New("unread reply")
					}
					return conn.state()
				}
				c.Reset = func(ctx context.Context, conn *session) error {
					unread[conn] = true
					return conn.use(ctx)
				}
			}},
		{"Reset does not look at its context", []string{"Reset succeeded though its context had been cancelled before it began: it does not look at its context"},
			func(c *config, s *server) {
				c.Reset = func(_ context.Context, conn *session) error { return conn.state() }
			}},
		{"Reset dawdles", []string{"Reset did not return within 2s of its context's end (it ended meanwhile)"},
			func(c *config, s *server) {
				c.Reset = func(ctx context.Context, conn *session) error {
					if err := conn.use(ctx); err != nil {
						return err
					}
					time.Sleep(4 * time.Second)
					return nil
				}
			}},
		{"IsBad does not know ErrBadConn", []string{"IsBad does not count connpool.ErrBadConn as bad"},
			func(c *config, s *server) { c.IsBad = func(error) bool { return false } }},
		{"IsBad panics", []string{"connpool: IsBad panicked: bad"},
			func(c *config, s *server) { c.IsBad = func(error) bool { panic("bad") } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			says, _ := try(t, tc.edit)
			what := says.what()
			require.Len(t, what, len(tc.says), "%q", what)
			for i, line := range tc.says {
				require.True(t, what[i] == line || strings.HasSuffix(line, ": in ") && strings.HasPrefix(what[i], line), "%q is not %q", what[i], line)
			}
		})
	}
}

func TestAFaultSaysWhyItMattersAndWhatToDo(t *testing.T) {
	says, _ := try(t, func(c *config, s *server) { c.Alive = func(*session) error { return nil } })
	require.Equal(t, []string{"connpooltest: Alive passes a connection that has been closed\n" +
		"\twhy it matters: borrowers would be lent dead connections, and the pool would not notice that a server has gone\n" +
		"\twhat to do: have it return an error for a connection that is closed or that its peer has closed; an Alive that cannot tell returns ErrUnsure"}, says.faults)
}

func TestWithoutAnAliveAndACheckItSaysWhoNotices(t *testing.T) {
	says, _ := try(t, func(c *config, s *server) { c.Alive, c.Check = nil, nil })
	require.Empty(t, says.faults)
	require.Equal(t, []string{"connpooltest: there is neither an Alive nor a Check, so nobody notices a dead connection before its borrower does"}, says.logged)
}

func TestWhatADialThatHangsComesBackWithIsClosed(t *testing.T) {
	_, s := try(t, func(c *config, s *server) {
		c.Connect = func(context.Context) (*session, error) { <-s.release; return s.connect(context.Background()) }
	})
	require.EqualValues(t, 1, s.opened.Load())
	require.EqualValues(t, 1, s.closed.Load())
}

// A factory on real sockets, as people write them.
func TestAFactoryOfTCPConnectionsPasses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go echo(listener)
	connpooltest.TestConfig(t, connpool.Config[net.Conn]{
		Connect: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", listener.Addr().String())
		},
		Check: ping,
		Reset: ping,
	})
}

// echo answers each line with the same.
func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn, conn) // until the client hangs up
		}()
	}
}

func ping(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintln(conn, "ping"); err != nil {
		return errors.Join(err, ctx.Err())
	}
	_, err := bufio.NewReader(conn).ReadString('\n')
	return errors.Join(err, ctx.Err())
}

// The pool's defaults are tried where a Config has none of its own: T's methods.

type (
	quiet struct{ *session }
	deaf  struct{ *session }
	named struct{ *session }
)

func (q quiet) Close() error                   { q.closed.Store(true); return nil }
func (q quiet) Ping(context.Context) error     { return nil }
func (d deaf) Close()                          { d.closed.Store(true) }
func (d deaf) IsClosed() bool                  { return false }
func (n named) Close(context.Context) error    { n.closed.Store(true); return nil }
func (n named) Ping(ctx context.Context) error { return n.use(ctx) }
func (n named) IsClosed() bool                 { return n.closed.Load() }

func TestTheDefaultsOfTheTypeAreTried(t *testing.T) {
	require.Equal(t, []string{
		"Check passes a connection that has been closed",
		"Check succeeded though its context had been cancelled before it began: it does not look at its context",
	}, tryMethods(t, func(s *session) quiet { return quiet{s} }))
	require.Equal(t, []string{"Alive passes a connection that has been closed"}, tryMethods(t, func(s *session) deaf { return deaf{s} }))
	require.Empty(t, tryMethods(t, func(s *session) named { return named{s} }))
}

func tryMethods[T any](t *testing.T, of func(*session) T) (what []string) {
	synctest.Test(t, func(*testing.T) {
		says, s := &recorder{TB: t}, newServer()
		connpooltest.TestConfig(says, connpool.Config[T]{Connect: func(ctx context.Context) (conn T, err error) {
			opened, err := s.connect(ctx)
			if err != nil {
				return conn, err
			}
			return of(opened), nil
		}})
		what = says.what()
	})
	return what
}

// process is a child that answers as long as it lives.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (p *process) Ping(context.Context) error {
	if _, err := fmt.Fprintln(p.in, "hello"); err != nil {
		return err
	}
	_, err := p.out.ReadString('\n')
	return err
}

func (p *process) Close() error {
	p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	return nil
}

func TestFault78_AProcessThatIsKilledWhenItsDialEndsIsFound(t *testing.T) {
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("there is no program to run: ", err)
	}
	for name, command := range map[string]func(context.Context) *exec.Cmd{
		"exec.Command":        func(context.Context) *exec.Cmd { return exec.Command(cat) },
		"exec.CommandContext": func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, cat) },
	} {
		t.Run(name, func(t *testing.T) {
			says := &recorder{TB: t}
			connpooltest.TestConfig(says, connpool.Config[*process]{
				Connect: func(ctx context.Context) (*process, error) {
					if err := ctx.Err(); err != nil {
						return nil, err
					}
					return startProcess(command(ctx))
				},
				Check: func(ctx context.Context, p *process) error {
					if err := ctx.Err(); err != nil {
						return err
					}
					return p.Ping(ctx)
				},
			})
			if name == "exec.Command" {
				require.Empty(t, says.what())
				return
			}
			require.Len(t, says.what(), 1)
			require.Contains(t, says.what()[0], "a connection works until the context of the Connect that opened it ends: then Check says ")
		})
	}
}

// judge is a session that judges errors itself, as a sound one does or not.
type judge struct {
	*session
	bad func(error) bool
}

func (j judge) IsBad(err error) bool { return j.bad(err) }

func TestAConnectionsOwnIsBadIsTried(t *testing.T) {
	for _, tc := range []struct {
		bad  func(error) bool
		says []string
	}{
		{connpool.DefaultIsBad, nil},
		{func(err error) bool { return errors.Is(err, connpool.ErrBadConn) }, nil},
		{func(error) bool { return false }, []string{"IsBad does not count connpool.ErrBadConn as bad"}},
		{func(error) bool { panic("bad") }, []string{"connpool: IsBad panicked: bad"}},
	} {
		s, says := newServer(), &recorder{TB: t}
		connpooltest.TestConfig(says, connpool.Config[judge]{
			Connect: func(ctx context.Context) (judge, error) {
				conn, err := s.connect(ctx)
				return judge{conn, tc.bad}, err
			},
			Close: func(ctx context.Context, j judge) error { return s.close(ctx, j.session) },
		})
		require.Equal(t, tc.says, says.what())
		require.Equal(t, s.opened.Load(), s.closed.Load())
	}
}
