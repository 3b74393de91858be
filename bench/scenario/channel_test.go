package scenario

import (
	"context"

	"github.com/connpool/connpool/bench/rival"
)

// channel is the plainest pool there is, for the scenarios to be tested with.
func channel() rival.Rival {
	return rival.Rival{Name: "channel", Bounded: true, New: func(s rival.Setup) (rival.Pool, error) {
		p := channelPool{s, make(chan *rival.Conn, s.Max)}
		for range s.Max {
			p.conns <- nil
		}
		return p, nil
	}}
}

type channelPool struct {
	rival.Setup
	conns chan *rival.Conn // nil: not open yet
}

func (p channelPool) Use(ctx context.Context, hold func()) (err error) {
	var conn *rival.Conn
	select {
	case conn = <-p.conns:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.conns <- conn }()
	if conn == nil && p.Dial != nil {
		if err := p.Dial(ctx); err != nil {
			return err
		}
	}
	conn = &rival.Conn{}
	hold()
	return nil
}

func (p channelPool) Cycle(ctx context.Context, n int) error {
	for range n {
		if err := p.Use(ctx, func() {}); err != nil {
			return err
		}
	}
	return nil
}

func (channelPool) Close() {}

// bounded are the rivals that the tests go through.
func bounded() []rival.Rival { return []rival.Rival{rival.Connpool(), channel()} }
