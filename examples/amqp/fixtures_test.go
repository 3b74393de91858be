package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/examples/internal/tcpserver"
	"github.com/connpool/connpool/internal/servertest"
)

// shared is the broker of all tests, which takes seconds to start. TestMain stops
// it.
var shared struct {
	once   sync.Once
	server *servertest.Server
	err    error
}

// sharedBroker skips the test where RabbitMQ is not installed, except where CI is
// set.
func sharedBroker(t *testing.T) *servertest.Server {
	shared.once.Do(func() { shared.server, shared.err = servertest.StartRabbitMQ(context.Background()) })
	if errors.Is(shared.err, servertest.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(shared.err)
	}
	require.NoError(t, shared.err)
	return shared.server
}

// wire is between the client and the broker. It counts the connections, and can
// hold back what the broker says, or lose it.
type wire struct {
	*tcpserver.Server
	open  atomic.Int64
	held  sync.RWMutex
	lossy atomic.Bool
}

func newWire(t *testing.T) *wire {
	w, broker := &wire{}, sharedBroker(t)
	server, err := tcpserver.Start("127.0.0.1:0", func(_ context.Context, client net.Conn) {
		w.relay(client, broker.Addr())
	})
	require.NoError(t, err)
	w.Server = server
	t.Cleanup(func() { server.Stop() })
	return w
}

func (w *wire) relay(client net.Conn, addr string) {
	w.open.Add(1)
	broker, err := net.Dial("tcp", addr)
	if err != nil {
		w.open.Add(-1)
		return
	}
	var replies sync.WaitGroup
	replies.Go(func() { w.reply(client, broker) })
	_, _ = io.Copy(broker, client) // until either has gone
	w.open.Add(-1)
	broker.Close()
	replies.Wait()
}

func (w *wire) reply(client, broker net.Conn) {
	defer client.Close()
	text := make([]byte, 64<<10)
	for {
		n, err := broker.Read(text)
		if err != nil {
			return
		}
		if w.lossy.Load() {
			continue
		}
		w.held.RLock()
		_, err = client.Write(text[:n])
		w.held.RUnlock()
		if err != nil {
			return
		}
	}
}

// hold has nothing that the broker says arrive until release is called.
func (w *wire) hold(t *testing.T) (release func()) {
	w.held.Lock()
	release = sync.OnceFunc(w.held.Unlock)
	t.Cleanup(release)
	return release
}

func (w *wire) awaitOpen(t *testing.T, connections int) {
	t.Helper()
	eventually(t, func() bool { return w.open.Load() == int64(connections) })
}

// newTable returns connections of so many channels each, which have to be closed
// when the test ends.
func newTable(t *testing.T, w *wire, each int) *connections {
	table := &connections{url: "amqp://guest:guest@" + w.Addr() + "/", each: each, dialTimeout: time.Hour}
	t.Cleanup(func() {
		w.awaitOpen(t, 0)
		now, _ := table.shares()
		require.Empty(t, now)
	})
	return table
}

func newPool(t *testing.T, table *connections, channels int) *connpool.Pool[*channel] {
	config := poolConfig(table, options{channels: channels, downAfter: -1})
	config.CheckAfterIdle = -1 // a test that holds the broker back would wait for it
	pool, err := connpool.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, shutdown(t.Context(), pool)) })
	return pool
}

// borrow returns so many leases, all taken at once.
func borrow(t *testing.T, pool *connpool.Pool[*channel], n int) []connpool.Lease[*channel] {
	t.Helper()
	leases, errs := make([]connpool.Lease[*channel], n), make([]error, n)
	var borrowers sync.WaitGroup
	for i := range n {
		borrowers.Go(func() { leases[i], errs[i] = pool.Acquire(t.Context()) })
	}
	borrowers.Wait()
	require.NoError(t, errors.Join(errs...))
	return leases
}

var errImpatient = errors.New("test: waited long enough")

// patience is for what must not hang.
const patience = 30 * time.Second

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, time.Millisecond)
}

// newQueue makes a queue that ends with the test.
func newQueue(t *testing.T, arguments amqp.Table) string {
	table := &connections{url: urlOf(sharedBroker(t)), each: 1, dialTimeout: patience}
	c, err := table.connect(t.Context())
	require.NoError(t, err)
	queue, err := c.amqp.QueueDeclare("", false, false, false, false, arguments)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := c.amqp.QueueDelete(queue.Name, false, false, false)
		require.NoError(t, errors.Join(err, c.close()))
	})
	return queue.Name
}
