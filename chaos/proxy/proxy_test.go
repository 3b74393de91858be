package proxy

import (
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds what should take milliseconds; only a hang exceeds it.
const patience = 20 * time.Second

func TestPassesEverythingBothWays(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	require.Equal(t, "to be echoed", ask(t, conn, "to be echoed"))
	require.EqualValues(t, 1, p.Accepted())
	require.Equal(t, 1, p.Open())
}

func TestPassesOnWhoHungUp(t *testing.T) {
	p := startBefore(t, func(conn net.Conn) { io.WriteString(conn, "bye") })
	said, err := io.ReadAll(dial(t, p))
	require.NoError(t, err)
	require.Equal(t, "bye", string(said))
}

func TestAFinishedRequestStillGetsItsReply(t *testing.T) {
	p := startBefore(t, func(conn net.Conn) {
		all, _ := io.ReadAll(conn)
		conn.Write(all)
	})
	conn := dial(t, p)
	_, err := io.WriteString(conn, "all of it")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "all of it", string(said))
}

func TestLatencyHoldsEachPieceUp(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	const latency = 30 * time.Millisecond
	require.NoError(t, p.Set(Fault{Latency: latency}))
	began := time.Now()
	require.Equal(t, "late", ask(t, conn, "late"))
	require.GreaterOrEqual(t, time.Since(began), 2*latency, "once on the way there, once on the way back")
}

func TestABlackHoleIsSilentAndOnceHealedPassesOnWhatItHeldBack(t *testing.T) {
	p := startBefore(t, echo)
	old := dial(t, p)
	require.NoError(t, p.Set(Fault{BlackHole: true}))
	young := dial(t, p)
	for _, conn := range []net.Conn{old, young} {
		_, err := io.WriteString(conn, "anybody there?")
		require.NoError(t, err)
		requireSilent(t, conn)
	}
	require.NoError(t, p.Set(Fault{}))
	for _, conn := range []net.Conn{old, young} {
		require.Equal(t, "anybody there?", read(t, conn, len("anybody there?")))
	}
}

func TestABlackHoleSwallowsTheEndsOfConnectionsToo(t *testing.T) {
	hangUp := make(chan struct{})
	p := startBefore(t, func(net.Conn) { <-hangUp })
	conn := dial(t, p)
	awaitOpen(t, p, 1)
	require.NoError(t, p.Set(Fault{BlackHole: true}))
	close(hangUp)
	requireSilent(t, conn)
	require.NoError(t, p.Set(Fault{}))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestResetEndsWhatThereIsAndWhatComes(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	require.Equal(t, "x", ask(t, conn, "x"))
	require.NoError(t, p.Set(Fault{Reset: true}))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.ErrorIs(t, firstError(p), syscall.ECONNRESET)
	require.NoError(t, p.Set(Fault{}))
	require.Equal(t, "again", ask(t, dial(t, p), "again"))
}

func TestRefusesNewOnesAndKeepsTheOldAndHasItsPortBack(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	awaitOpen(t, p, 1)
	require.NoError(t, p.Set(Fault{Refuse: true}))
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Equal(t, "still here", ask(t, conn, "still here"))
	require.NoError(t, p.Set(Fault{}))
	require.Equal(t, "back", ask(t, dial(t, p), "back"))
}

func TestCutReplyClosesInTheMiddle(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	require.Equal(t, "whole", ask(t, conn, "whole"))
	require.NoError(t, p.Set(Fault{CutReply: 4}))
	_, err := io.WriteString(conn, "half a reply")
	require.NoError(t, err)
	said, err := io.ReadAll(conn)
	require.NoError(t, err, "a FIN, and no reset")
	require.Equal(t, "half", string(said))
}

func TestByteByByteIsSlowAndComplete(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	require.NoError(t, p.Set(Fault{ByteByByte: true, Latency: time.Millisecond}))
	_, err := io.WriteString(conn, "spelt")
	require.NoError(t, err)
	for _, letter := range "spelt" {
		piece := make([]byte, 16)
		n, err := conn.Read(piece)
		require.NoError(t, err)
		require.Equal(t, string(letter), string(piece[:n]))
	}
}

func TestAnAbsentTargetIsAReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	p := startTo(t, listener.Addr().String())
	require.ErrorIs(t, firstError(p), syscall.ECONNRESET)
}

func TestCloseEndsEverythingEvenInABlackHole(t *testing.T) {
	p := startBefore(t, echo)
	conn := dial(t, p)
	require.NoError(t, p.Set(Fault{BlackHole: true}))
	_, err := io.WriteString(conn, "x")
	require.NoError(t, err)
	require.NoError(t, p.Close())
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.Zero(t, p.Open())
	require.NoError(t, p.Close())
	require.Error(t, p.Set(Fault{}))
}

// startBefore starts a proxy in front of a server that treats each connection as
// told, and then closes it.
func startBefore(t *testing.T, treat func(net.Conn)) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer conn.Close()
				treat(conn)
			})
		}
	})
	p := startTo(t, listener.Addr().String())
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		require.NoError(t, p.Close()) // before the wait: it ends the server's connections
		tasks.Wait()
	})
	return p
}

func startTo(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Start(target)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func echo(conn net.Conn) { io.Copy(conn, conn) }

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// firstError dials and reads until something goes wrong. A reset that comes early
// is the dial's error, otherwise it is the read's.
func firstError(p *Proxy) error {
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

func ask(t *testing.T, conn net.Conn, question string) string {
	t.Helper()
	_, err := io.WriteString(conn, question)
	require.NoError(t, err)
	return read(t, conn, len(question))
}

func read(t *testing.T, conn net.Conn, n int) string {
	t.Helper()
	said := make([]byte, n)
	_, err := io.ReadFull(conn, said)
	require.NoError(t, err)
	return string(said)
}

// requireSilent checks that nothing is to be read, for a while.
func requireSilent(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
}

func awaitOpen(t *testing.T, p *Proxy, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); p.Open() != n; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline))
	}
}
