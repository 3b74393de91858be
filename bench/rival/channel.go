package rival

import "context"

func channelRival() Rival {
	return Rival{
		Name:    "buffered channel",
		Kind:    Fair,
		Note:    "A chan *Conn, full of nils at first: who receives one dials. What many write by hand.",
		Bounded: true,
		New:     newChannel,
	}
}

type channelPool struct {
	opener
	conns chan *Conn
}

func newChannel(s Setup) (Pool, error) {
	p := &channelPool{opener: opener{dial: s.Dial}, conns: make(chan *Conn, s.Max)}
	for range s.Max {
		p.conns <- nil
	}
	return p, nil
}

func (p *channelPool) borrow(ctx context.Context) (*Conn, error) {
	select {
	case conn := <-p.conns:
		if conn == nil {
			return p.fresh(ctx)
		}
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *channelPool) fresh(ctx context.Context) (*Conn, error) {
	conn, err := p.open(ctx)
	if err != nil {
		p.conns <- nil
	}
	return conn, err
}

func (p *channelPool) Cycle(ctx context.Context, n int) error {
	for range n {
		conn, err := p.borrow(ctx)
		if err != nil {
			return err
		}
		p.conns <- conn
	}
	return nil
}

func (p *channelPool) Use(ctx context.Context, hold func()) error {
	conn, err := p.borrow(ctx)
	if err != nil {
		return err
	}
	defer func() { p.conns <- conn }()
	hold()
	return nil
}

func (p *channelPool) Close() {}
