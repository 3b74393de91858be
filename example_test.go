package connpool_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connpool/connpool"
)

// session stands for whatever is expensive to open, in the examples that need no
// network.
type session struct {
	id   int
	user string
	inTx bool
}

// numbered returns a factory of sessions with the ids 1, 2, 3 ...
func numbered() func(context.Context) (*session, error) {
	var last atomic.Int64
	return func(context.Context) (*session, error) { return &session{id: int(last.Add(1))}, nil }
}

// newSessions returns a pool of numbered sessions.
func newSessions(maxSize int) *connpool.Pool[*session] {
	pool, err := connpool.New(connpool.Config[*session]{Name: "orders", Connect: numbered(), MaxSize: maxSize})
	if err != nil {
		log.Fatal(err)
	}
	return pool
}

// listenAndShout starts a server that answers each line in capitals, until
// stop is called.
func listenAndShout() (addr string, stop func() error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go shout(conn)
		}
	}()
	return listener.Addr().String(), listener.Close
}

func shout(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		fmt.Fprintln(conn, strings.ToUpper(lines.Text()))
	}
}

func Example() {
	addr, stop := listenAndShout() // a server
	defer stop()

	pool, err := connpool.New(connpool.Config[net.Conn]{
		Connect: func(ctx context.Context) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", addr)
		},
		MaxSize: 4,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	ctx := context.Background()
	for _, line := range []string{"hello", "again"} {
		err := pool.Do(ctx, func(ctx context.Context, conn net.Conn) error {
			fmt.Fprintln(conn, line)
			answer, err := bufio.NewReader(conn).ReadString('\n')
			fmt.Print(answer)
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("connections opened:", pool.Stats().Connects)
	// Output:
	// HELLO
	// AGAIN
	// connections opened: 1
}

func ExampleNew() {
	_, err := connpool.New(connpool.Config[*session]{MaxSize: 4, MinSize: 6})
	fmt.Println(err)
	// Output:
	// connpool: bad Config: Connect is nil: set it to the function that opens a connection
	// MinSize 6 exceeds MaxSize 4: lower it or raise MaxSize
}

func ExamplePool_Acquire() {
	pool := newSessions(4)
	defer pool.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lease, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release()

	fmt.Println("session", lease.Conn().id)
	// Output: session 1
}

func ExamplePool_Do() {
	pool := newSessions(4)
	defer pool.Close()
	ctx := context.Background()

	errNoRows := errors.New("no rows")
	err := pool.Do(ctx, func(_ context.Context, s *session) error {
		fmt.Println("session", s.id)
		return errNoRows // which says nothing against the connection
	})
	fmt.Println(err)

	err = pool.Do(ctx, func(_ context.Context, s *session) error {
		fmt.Println("session", s.id)
		return io.ErrUnexpectedEOF // which does: see Config.IsBad
	})
	fmt.Println(err)

	pool.Do(ctx, func(_ context.Context, s *session) error {
		fmt.Println("session", s.id)
		return nil
	})
	// Output:
	// session 1
	// no rows
	// session 1
	// unexpected EOF
	// session 2
}

func ExamplePool_TryAcquire() {
	pool := newSessions(1)
	defer pool.Close()
	ctx := context.Background()

	_, err := pool.TryAcquire(ctx)
	fmt.Println("a new pool:", err) // but it has started to dial

	lease, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = pool.TryAcquire(ctx)
	fmt.Println("all in use:", err)

	lease.Release()
	lease, err = pool.TryAcquire(ctx)
	fmt.Println("one idle:", err)
	lease.Release()
	// Output:
	// a new pool: connpool: no idle connection
	// all in use: connpool: no idle connection
	// one idle: <nil>
}

func ExampleLease() {
	pool := newSessions(1)
	defer pool.Close()
	ctx := context.Background()

	mine, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	mine.Release()

	theirs, err := pool.Acquire(ctx) // the same connection
	if err != nil {
		log.Fatal(err)
	}
	mine.Release() // once too often: it does nothing to the connection that is theirs now
	fmt.Println("still theirs:", theirs.Conn().id)
	theirs.Release()

	fmt.Println("stale releases:", pool.Stats().StaleReleases)
	// Output:
	// still theirs: 1
	// stale releases: 1
}

func ExampleLease_ReleaseErr() {
	pool := newSessions(4)
	defer pool.Close()

	for _, outcome := range []error{nil, errors.New("no rows"), io.EOF, nil} {
		lease, err := pool.Acquire(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("session %d: %v\n", lease.Conn().id, outcome)
		lease.ReleaseErr(outcome)
	}
	// Output:
	// session 1: <nil>
	// session 1: no rows
	// session 1: EOF
	// session 2: <nil>
}

// The lease ends by what the function returns, which is not known yet where the
// call is deferred: so End takes a pointer, and ReleaseErr would be wrong here.
func ExampleLease_End() {
	pool := newSessions(1)
	defer pool.Close()

	work := func(ctx context.Context, outcome error) (err error) {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer lease.End(&err)
		fmt.Println("session", lease.Conn().id)
		return outcome
	}
	for _, outcome := range []error{nil, errors.New("no rows"), io.ErrUnexpectedEOF, nil} {
		fmt.Println(work(context.Background(), outcome))
	}
	// Output:
	// session 1
	// <nil>
	// session 1
	// no rows
	// session 1
	// unexpected EOF
	// session 2
	// <nil>
}

func ExampleLease_Discard() {
	pool := newSessions(4)
	defer pool.Close()
	ctx := context.Background()

	lease, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	lease.Discard(errors.New("the server said goodbye"))

	lease, err = pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("session", lease.Conn().id)
	lease.Release()
	fmt.Println("discarded:", pool.Stats().Closes[connpool.ClosedDiscarded])
	// Output:
	// session 2
	// discarded: 1
}

func ExampleLease_Hijack() {
	pool := newSessions(1)
	defer pool.Close()
	ctx := context.Background()

	lease, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	kept := lease.Hijack() // ours to use, and to close

	lease, err = pool.Acquire(ctx) // there is room for another
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("kept session %d, the pool has session %d\n", kept.id, lease.Conn().id)
	lease.Release()
	// Output: kept session 1, the pool has session 2
}

func ExamplePool_Shutdown() {
	pool := newSessions(4)
	lease, err := pool.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err = pool.Shutdown(ctx)
	fmt.Println("somebody holds a connection:", errors.Is(err, context.DeadlineExceeded))

	_, err = pool.Acquire(context.Background())
	fmt.Println("closed all the same:", errors.Is(err, connpool.ErrClosed))

	lease.Release()
	fmt.Println("drained:", pool.Shutdown(context.Background()))
	// Output:
	// somebody holds a connection: true
	// closed all the same: true
	// drained: <nil>
}

func ExamplePool_Holders() {
	pool, err := connpool.New(connpool.Config[*session]{
		Connect:    numbered(),
		LeakStacks: connpool.StacksAlways,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	defer borrowToReport(pool).Release()
	defer borrowToUpload(pool).Release()
	defer borrowToUpload(pool).Release()

	for _, holder := range pool.Holders() {
		fmt.Println(holder.Count, "by", function(holder))
	}
	// Output:
	// 1 by connpool_test.borrowToReport
	// 2 by connpool_test.borrowToUpload
}

func borrowToReport(pool *connpool.Pool[*session]) connpool.Lease[*session] {
	lease, err := pool.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	return lease
}

func borrowToUpload(pool *connpool.Pool[*session]) connpool.Lease[*session] {
	lease, err := pool.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	return lease
}

// function is the call site without its line, which an example cannot promise.
func function(h connpool.Holder) string {
	name, _, _ := strings.Cut(h.Caller, " (")
	return name
}

func ExampleAcquireError() {
	pool, err := connpool.New(connpool.Config[*session]{
		Name:       "orders",
		Connect:    numbered(),
		MaxSize:    1,
		LeakStacks: connpool.StacksAlways,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	defer borrowToUpload(pool).Release()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = pool.Acquire(ctx)

	fmt.Println("deadline exceeded:", errors.Is(err, context.DeadlineExceeded))
	fmt.Println("exhausted:", errors.Is(err, connpool.ErrExhausted))
	var failed *connpool.AcquireError
	if errors.As(err, &failed) {
		fmt.Printf("pool %s, stage %v: %d of %d in use\n",
			failed.Pool, failed.Stage, failed.Stats.InUse, failed.Stats.MaxSize)
		fmt.Println("by", function(failed.Holders[0]))
	}
	// Output:
	// deadline exceeded: true
	// exhausted: true
	// pool orders, stage wait: 1 of 1 in use
	// by connpool_test.borrowToUpload
}

// What a service makes of a failed acquire. The reasons stand before the end of the
// caller's own context, which may come with one of them.
func ExampleAcquireError_reasons() {
	status := func(err error) string {
		switch {
		case err == nil:
			return "200"
		case errors.Is(err, connpool.ErrClosed):
			return "503: shutting down"
		case errors.Is(err, connpool.ErrQueueFull):
			return "503: too many requests wait already"
		case errors.Is(err, connpool.ErrUnreachable):
			return "503: the database cannot be reached"
		case errors.Is(err, connpool.ErrExhausted):
			return "503: every connection is in use"
		case errors.Is(err, context.DeadlineExceeded):
			return "504: too late"
		case errors.Is(err, context.Canceled):
			return "499: the client has gone"
		}
		return "500: " + err.Error()
	}
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: numbered(), MaxSize: 1, AcquireTimeout: 10 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := pool.Warm(context.Background()); err != nil {
		log.Fatal(err)
	}
	lease, err := pool.Acquire(context.Background())
	fmt.Println(status(err))
	_, err = pool.Acquire(context.Background())
	fmt.Println(status(err))
	lease.Release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = pool.Acquire(ctx)
	fmt.Println(status(err))
	pool.Close()
	_, err = pool.Acquire(context.Background())
	fmt.Println(status(err))
	// Output:
	// 200
	// 503: every connection is in use
	// 499: the client has gone
	// 503: shutting down
}

func ExamplePool_Retire() {
	pool := newSessions(4)
	defer pool.Close()
	show := func(_ context.Context, s *session) error {
		_, err := fmt.Println("session", s.id)
		return err
	}

	err := pool.Do(context.Background(), show)
	if err != nil {
		log.Fatal(err)
	}
	pool.Retire() // the password has changed, say
	err = pool.Do(context.Background(), show)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// session 1
	// session 2
}

func ExamplePool_Resize() {
	pool := newSessions(1)
	defer pool.Close()
	ctx := context.Background()
	sizes := func() {
		s := pool.Stats()
		fmt.Printf("%d in use, %d open, %d allowed\n", s.InUse, s.Size, s.MaxSize)
	}

	first, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	sizes()

	if err := pool.Resize(2); err != nil {
		log.Fatal(err)
	}
	second, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	sizes()

	// A shrink takes nothing from anybody: one of the two closes when it returns.
	if err := pool.Resize(1); err != nil {
		log.Fatal(err)
	}
	sizes()
	first.Release()
	second.Release()
	sizes()
	// Output:
	// 1 in use, 1 open, 1 allowed
	// 2 in use, 2 open, 2 allowed
	// 2 in use, 2 open, 1 allowed
	// 0 in use, 1 open, 1 allowed
}

// While a server is switched over, callers wait instead of failing.
func ExamplePool_Pause() {
	pool := newSessions(4)
	defer pool.Close()
	ctx := context.Background()
	if err := pool.Warm(ctx); err != nil {
		log.Fatal(err)
	}

	pool.Pause()
	_, err := pool.TryAcquire(ctx)
	fmt.Println("paused:", err)
	used := make(chan int)
	go pool.Do(ctx, func(_ context.Context, s *session) error {
		used <- s.id
		return nil
	})
	pool.Retire() // session 1 leads to the old server
	pool.Resume()
	fmt.Println("resumed: session", <-used)
	// Output:
	// paused: connpool: no idle connection
	// resumed: session 2
}

func ExamplePool_Warm() {
	pool, err := connpool.New(connpool.Config[*session]{Connect: numbered(), MinSize: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	// Before the service reports that it is ready:
	if err := pool.Warm(context.Background()); err != nil {
		log.Fatal(err) // the server cannot be reached, or refuses us
	}
	fmt.Println("idle:", pool.Stats().Idle)
	// Output: idle: 3
}

// A readiness probe, such as that of Kubernetes.
func ExamplePool_Ready() {
	pool := newSessions(4)

	ready := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := pool.Ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	}
	probe := func() {
		answer := httptest.NewRecorder()
		ready(answer, httptest.NewRequest("GET", "/readyz", nil))
		fmt.Println(answer.Code, strings.TrimSpace(answer.Body.String()))
	}
	probe()
	pool.Close()
	probe()
	// Output:
	// 200 ready
	// 503 connpool "orders": pool is closed
}

// After a failover, the old connections are gone before the program goes on.
func ExamplePool_Settled() {
	var closed atomic.Int64
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: numbered(),
		Close:   func(context.Context, *session) error { closed.Add(1); return nil },
		MinSize: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	ctx := context.Background()
	if err := pool.Warm(ctx); err != nil {
		log.Fatal(err)
	}
	pool.Retire()
	if err := pool.Settled(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("closed:", closed.Load())
	// Output: closed: 3
}

func ExampleConfig() {
	pool, err := connpool.New(connpool.Config[*session]{
		Name:    "orders",
		Connect: numbered(),
		Close: func(_ context.Context, s *session) error {
			fmt.Println("close session", s.id)
			return nil
		},

		// A round trip, before a session is lent that has been idle for so long.
		Check:          func(context.Context, *session) error { return nil },
		CheckAfterIdle: 30 * time.Second,

		// No round trip, each time a session comes back: may it be lent again?
		Clean: func(s *session) error {
			if s.inTx {
				return errors.New("a transaction was left open")
			}
			return nil
		},
		// A round trip, after that: nothing of one user's may reach the next.
		Reset: func(_ context.Context, s *session) error {
			s.user = ""
			return nil
		},

		MaxSize: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	use := func(change func(*session)) {
		err := pool.Do(ctx, func(_ context.Context, s *session) error {
			fmt.Printf("session %d, user %q\n", s.id, s.user)
			change(s)
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}

	use(func(s *session) { s.user = "ada" })
	use(func(s *session) { s.inTx = true })
	use(func(*session) {})
	if err := pool.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// session 1, user ""
	// session 1, user ""
	// close session 1
	// session 2, user ""
	// close session 2
}

// Two replicas stand behind one name. By default the connection used last is used
// next; in turn, the work is spread over both.
func ExampleConfig_inTurn() {
	ctx := context.Background()
	for _, inTurn := range []bool{false, true} {
		pool, err := connpool.New(connpool.Config[*session]{Connect: numbered(), MinSize: 2, FIFO: inTurn})
		if err != nil {
			log.Fatal(err)
		}
		if err := pool.Warm(ctx); err != nil {
			log.Fatal(err)
		}
		used := map[int]int{}
		for range 10 {
			pool.Do(ctx, func(_ context.Context, s *session) error {
				used[s.id]++
				return nil
			})
		}
		fmt.Println(len(used), "of 2 used")
		pool.Close()
	}
	// Output:
	// 1 of 2 used
	// 2 of 2 used
}

// The pool is there before the program knows what it needs to dial.
func ExampleConfig_paused() {
	var address atomic.Pointer[string]
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: func(context.Context) (*session, error) { return &session{user: *address.Load()}, nil },
		Paused:  true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	ctx := context.Background()
	fmt.Println("paused:", errors.Is(pool.Ready(ctx), connpool.ErrPaused))

	found := "ada@db1"
	address.Store(&found)
	pool.Resume()
	pool.Do(ctx, func(_ context.Context, s *session) error {
		fmt.Println(s.user)
		return nil
	})
	// Output:
	// paused: true
	// ada@db1
}

func ExampleTrace() {
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: numbered(),
		Trace: &connpool.Trace{
			Connected: func(_ context.Context, i connpool.ConnectedInfo) { fmt.Println("connected:", i.Err) },
			Acquired:  func(_ context.Context, i connpool.AcquiredInfo) { fmt.Println("acquired, reused:", i.Reused) },
			Released:  func(_ context.Context, i connpool.ReleasedInfo) { fmt.Println("released:", i.Err) },
			Closed:    func(i connpool.ClosedInfo) { fmt.Println("closed, reason:", i.Reason) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, outcome := range []error{nil, io.EOF} {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			log.Fatal(err)
		}
		lease.ReleaseErr(outcome)
	}
	if err := pool.Shutdown(ctx); err != nil { // which waits for the callbacks, too
		log.Fatal(err)
	}
	// Callbacks of a dial and a close come from goroutines of the pool.

	// Unordered output:
	// connected: <nil>
	// acquired, reused: false
	// released: <nil>
	// acquired, reused: true
	// released: EOF
	// closed, reason: discarded
}

// Two pools for the same server share what it allows.
// One trace counts, another one prints.
func ExampleJoinTraces() {
	var acquired atomic.Int64
	counts := &connpool.Trace{
		Acquired: func(context.Context, connpool.AcquiredInfo) { acquired.Add(1) },
	}
	prints := &connpool.Trace{
		Acquiring: func(context.Context, connpool.AcquiringInfo) { fmt.Println("acquiring") },
		Acquired: func(_ context.Context, i connpool.AcquiredInfo) {
			fmt.Println("acquired connection", i.Conn)
		},
		Released: func(_ context.Context, i connpool.ReleasedInfo) {
			fmt.Println("released connection", i.Conn)
		},
	}
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: numbered(),
		Trace:   connpool.JoinTraces(counts, prints),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	for range 2 {
		lease, err := pool.Acquire(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		lease.Release()
	}
	fmt.Println(acquired.Load(), "leases")
	// Output:
	// acquiring
	// acquired connection 1
	// released connection 1
	// acquiring
	// acquired connection 1
	// released connection 1
	// 2 leases
}

// A session that has grown old is thrown away; one that the pool has no use for may
// say goodbye first.
func ExampleCloseReasonFrom() {
	pool, err := connpool.New(connpool.Config[*session]{
		Connect: numbered(),
		Close: func(ctx context.Context, s *session) error {
			reason, _ := connpool.CloseReasonFrom(ctx)
			fmt.Printf("close session %d: %v\n", s.id, reason)
			return nil
		},
		MaxUses: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for range 3 {
		lease, err := pool.Acquire(ctx)
		if err != nil {
			log.Fatal(err)
		}
		lease.Release()
	}
	if err := pool.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// close session 1: uses
	// close session 2: pool
}

func ExampleNewBudget() {
	budget := connpool.NewBudget(3)
	open := func(name string) *connpool.Pool[*session] {
		pool, err := connpool.New(connpool.Config[*session]{
			Name: name, Connect: numbered(), MaxSize: 3, Budget: budget,
		})
		if err != nil {
			log.Fatal(err)
		}
		return pool
	}
	orders, reports := open("orders"), open("reports")
	defer orders.Close()
	defer reports.Close()
	sizes := func() {
		o, r := orders.Stats(), reports.Stats()
		fmt.Printf("orders: %d in use, %d idle; reports: %d in use, %d idle\n", o.InUse, o.Idle, r.InUse, r.Idle)
	}

	first, second := borrowToUpload(orders), borrowToUpload(orders)
	sizes()
	first.Release()
	second.Release()
	sizes()

	// For the second of these there is no unit left, but orders has connections
	// that it does not need.
	defer borrowToReport(reports).Release()
	defer borrowToReport(reports).Release()
	sizes()
	// Output:
	// orders: 2 in use, 0 idle; reports: 0 in use, 0 idle
	// orders: 0 in use, 2 idle; reports: 0 in use, 0 idle
	// orders: 0 in use, 1 idle; reports: 2 in use, 0 idle
}

// pools is what a program publishes at /debug/vars.
var pools = expvar.NewMap("connpool")

func ExamplePool_Stats() {
	pool := newSessions(4)
	defer pool.Close()
	pools.Set(pool.Name(), expvar.Func(func() any { return pool.Stats() }))

	lease, err := pool.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release()

	var published map[string]connpool.Stats
	if err := json.Unmarshal([]byte(pools.String()), &published); err != nil {
		log.Fatal(err)
	}
	stats := published["orders"]
	fmt.Printf("%d of %d in use, %d waiting, %d acquired\n", stats.InUse, stats.MaxSize, stats.Waiting, stats.Acquires)
	// Output: 1 of 4 in use, 0 waiting, 1 acquired
}
