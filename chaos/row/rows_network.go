package row

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/chaos/proxy"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Rows about networks, and the sockets' end of them.
func networkRows() []Row {
	return []Row{
		{
			Number: 25, Name: "too many open files", On: everywhere, Scenario: tooManyFiles,
			Injected: "the process may open 24 more files; 40 callers want a socket each",
			Required: "errors.Is EMFILE for who gets none; capacity 40/40 once there are files again",
		}, {
			Number: 29, Name: "black hole", On: withSQL, Scenario: blackHole, Timed: true, Drops: true,
			Injected: "idle sessions fall silent (a proxy that swallows; ours: packets dropped too, where that is possible), new ones work",
			Required: "the check is bounded by its own time-out (300 ms): served within 2 s on a new session",
		}, {
			Number: 30, Name: "reset, half a reply, slices", On: withSQL, Scenario: brokenReplies,
			Injected: "a reset and a close within a reply; then replies one byte at a time; PostgreSQL through a proxy",
			Required: "an error, then a new connection and a right answer; slices do no harm",
		}, {
			Number: 33, Name: "unread reply", On: withPuddle, Scenario: unreadReplies,
			Injected: "200 times: PING and ECHO are sent and one reply is read; Redis, and over TLS",
			Required: "found before the connection is lent again: never another's reply",
		},
	}
}

// detour dials: whatever a pool wants to reach, it gets where the detour leads.
type detour struct{ addr atomic.Pointer[string] }

func (d *detour) lead(addr string) { d.addr.Store(&addr) }

func (d *detour) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, *d.addr.Load())
}

// startProxy starts a proxy, and closes it in the end.
func (t *Trial) startProxy(target string) *proxy.Proxy {
	p, err := proxy.Start(target)
	t.Must(err, "starting a proxy")
	t.Cleanup(func() { t.Must(p.Close(), "closing the proxy") })
	return p
}

func blackHole(t *Trial) {
	postgres := t.postgres(nil)
	old, young := t.startProxy(postgres.Addr()), t.startProxy(postgres.Addr())
	t.fallSilent("proxy", postgres.DSN(), old.Addr(), young.Addr(), func() error { return old.Set(proxy.Fault{BlackHole: true}) })
	if t.Ours() {
		t.dropPackets(postgres)
	}
}

// fallSilent opens sessions by one way, which then falls silent, and sees how
// long it takes until the next borrowers are served by the other.
func (t *Trial) fallSilent(what, dsn, oldWay, newWay string, silence func() error) {
	const size = 4
	var way detour
	way.lead(oldWay)
	db := t.openDB(pool.DBSetup{
		DSN: dsn, Max: size, Dial: way.dial,
		ConnectTimeout: time.Second, CheckTimeout: 300 * time.Millisecond,
		Edit: func(c *pgConfig) { c.CloseTimeout = 300 * time.Millisecond },
	})
	db.fill(size)
	time.Sleep(1500 * time.Millisecond) // the next hand-out is checked
	t.Must(silence(), "falling silent")
	way.lead(newWay)
	began := time.Now()
	failed := atOnce(size, func() error { return db.Exec(t.For(4*time.Second), "select 1") })
	took := time.Since(began)
	t.Sawf("%s: %d of %d served within %v", what, size-len(failed), size, ms(took))
	if len(failed) > 0 {
		t.Faultf("%v", short(failed[0]))
	}
	t.Require(took < 2*time.Second, "the check is not bounded")
}

func brokenReplies(t *Trial) {
	const size = 1
	postgres := t.postgres(nil)
	between := t.startProxy(postgres.Addr())
	var way detour
	way.lead(between.Addr())
	db := t.openDB(pool.DBSetup{DSN: postgres.DSN(), Max: size, Dial: way.dial})
	for _, fault := range []struct {
		name string
		proxy.Fault
	}{{"reset", proxy.Fault{Reset: true}}, {"half a reply", proxy.Fault{CutReply: 20}}} {
		db.fill(size)
		t.breakReply(db, between, fault.name, fault.Fault)
	}
	t.Must(between.Set(proxy.Fault{ByteByByte: true}), "slicing")
	opened := db.Opens.Load()
	failed := atOnce(4, func() error { return t.rightAnswer(db) })
	t.Require(len(failed) == 0, "byte by byte: %v", failed)
	t.Require(db.Opens.Load() == opened, "byte by byte: sessions were replaced")
	t.Sawf("byte by byte: right answers")
}

// breakReply has one session's reply broken, and then looks at what the pool
// lends.
func (t *Trial) breakReply(db *sessions, between *proxy.Proxy, name string, fault proxy.Fault) {
	s := db.session(name)
	before := t.ask(s, pid)
	// The statement is under way when the fault strikes: a reset before it would
	// be noticed by the borrower of any pool.
	timer := time.AfterFunc(50*time.Millisecond, func() { t.Must(between.Set(fault), name) })
	err := s.Exec(t.For(patience), "select pg_sleep(0.1), repeat('x', 1000)")
	timer.Stop()
	t.Must(between.Set(proxy.Fault{}), "healing")
	t.Require(err != nil, "%s: no error", name)
	s.Release()
	var after []string
	failed := atOnce(1, func() error {
		s, err := db.Session(t.For(patience))
		if err != nil {
			return err
		}
		defer s.Release()
		now, err := s.Text(t.For(patience), pid)
		after = append(after, now)
		return err
	})
	t.Require(len(failed) == 0, "%s: the next user failed: %v", name, failed)
	t.Require(len(after) == 1 && after[0] != before, "%s: the broken session was lent again", name)
	t.Sawf("%s: %v, then a new connection", name, errText(err))
}

func (t *Trial) rightAnswer(db *sessions) error {
	s, err := db.Session(t.For(patience))
	if err != nil {
		return err
	}
	defer s.Release()
	text, err := s.Text(t.For(patience), "select 'sliced'")
	if err == nil && text != "sliced" {
		err = errors.New("got " + text)
	}
	return err
}

func tooManyFiles(t *Trial) {
	const size, more = 40, 24
	listener, err := net.Listen("tcp", "127.0.0.1:0") // its backlog accepts for it, which takes no files
	t.Must(err, "listening")
	t.Cleanup(func() { _ = listener.Close() })
	setup := pool.Setup{Max: size, Dial: func(ctx context.Context, c *pool.Conn) error {
		var dialer net.Dialer
		socket, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
		c.Resource = socket
		return err
	}, Edit: func(c *connpool.Config[*pool.Conn]) { c.DownAfter = -1 }}
	if t.Kind == pool.Pgxpool {
		setup.Dial = nil // it has sockets of its own
	}
	p := t.open(setup)
	p.must("the first").Release() // so that the rest of the program has what it needs
	restore, err := limitFiles(more)
	if err != nil {
		t.Skip(err.Error())
	}
	t.Cleanup(restore)
	held, refused := p.takeAll(size, 700*time.Millisecond)
	restore()
	for _, l := range held {
		l.Release()
	}
	t.Sawf("%d held, %d refused", len(held), len(refused))
	t.Require(len(refused) > 0, "there were files enough")
	for _, err := range refused {
		t.Require(errors.Is(err, syscall.EMFILE), "not EMFILE: %v", short(err))
	}
	p.requireCapacity(size)
}

// takeAll has n callers borrow at once and keep what they get.
func (p *tried) takeAll(n int, deadline time.Duration) (held []pool.Lease, refused []error) {
	leases := make(chan pool.Lease, n)
	refused = atOnce(n, func() error {
		lease, err := p.take(deadline)
		if err == nil {
			leases <- lease
		}
		return err
	})
	close(leases)
	for l := range leases {
		held = append(held, l)
	}
	return held, refused
}
