package netconn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/connpool/connpool"
)

// What a look costs. On a machine of 2 cores (AMD EPYC, Linux, Go 1.26) that was
// busy with other work, ns and allocations:
//
//	tcp                584   0
//	unix               565   0
//	tls              1,013   3 (105 bytes: the Read that asks for TLS's buffers)
//	tls socket alone   529   0 (what a hand-out of PoolConfig's pools costs)
//	syscall.Conn       665   3 (40 bytes)
//	hidden              74   1 (of the benchmark's own)
func BenchmarkAlive(b *testing.B) {
	for _, kind := range kinds {
		client, _ := pair(b, kind)
		run(b, kind, func() error { return Alive(client) })
		if kind == "tls" {
			run(b, "tls socket alone", func() error { return look(client) })
		}
	}
	client, _ := pair(b, "tcp")
	run(b, "syscall.Conn", func() error { return Alive(transparent{client.(*net.TCPConn)}) })
	run(b, "hidden", func() error {
		if err := Alive(hidden{client}); !errors.Is(err, connpool.ErrUnsure) {
			return errors.New("it is known")
		}
		return nil
	})
}

// What a request of 64 bytes to an echo server on the loopback costs under a
// context. Same machine, ns and allocations:
//
//	plain write and read  14,397   0
//	background            14,293   1
//	cancellable           15,131   4
//	with a deadline       16,641  11 (7 of them and most of the time context.WithTimeout's)
//	nothing, cancellable     419   4 (Do alone)
func BenchmarkDo(b *testing.B) {
	client, server := pair(b, "tcp")
	go io.Copy(server, server)
	message, buf := bytes.Repeat([]byte("x"), 64), make([]byte, 64)
	exchange := func() error {
		if _, err := client.Write(message); err != nil {
			return err
		}
		_, err := io.ReadFull(client, buf)
		return err
	}
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	run(b, "plain write and read", exchange)
	run(b, "background", func() error { return Do(context.Background(), client, exchange) })
	run(b, "cancellable", func() error { return Do(cancellable, client, exchange) })
	run(b, "with a deadline", func() error {
		ctx, cancel := context.WithTimeout(cancellable, patience)
		defer cancel()
		return Do(ctx, client, exchange)
	})
	nothing := func() error { return nil }
	run(b, "nothing, cancellable", func() error { return Do(cancellable, client, nothing) })
}

// What a connection costs that is there already, and one that is not: with its
// look at every hand-out and return, and with a dial (and TLS resumption) in its
// stead. Same machine, ns and allocations:
//
//	                      tcp        unix         tls
//	acquire and release   1,278  0   1,358  0     1,828   3
//	dial and close        1,853  4   1,634  1     2,432   7
//	connection of its own 70,471 27  33,773 21    876,332 952
func BenchmarkPooled(b *testing.B) {
	for _, kind := range kinds {
		s := startServer(b, kind)
		pool := s.newPool(b, Options{}, nil)
		run(b, kind+" acquire and release", func() error {
			lease, err := pool.Acquire(b.Context())
			lease.Release()
			return err
		})
		d := newDialer(b, kind, nil)
		run(b, kind+" dial and close", func() error {
			conn, err := d.DialContext(b.Context(), s.network(), s.address())
			if err != nil {
				return err
			}
			return conn.Close()
		})
		t := target{network: s.network(), address: s.address(), Options: optionsFor(kind)}
		run(b, kind+" connection of its own", func() error {
			conn, err := t.connect(b.Context())
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
}

func run(b *testing.B, name string, f func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
