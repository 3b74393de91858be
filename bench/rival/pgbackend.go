package rival

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgBackend is a connection to a PostgreSQL server that lives in the connection:
// whatever is written is answered at once, into a buffer to read from. It has no
// goroutine and no socket.
type pgBackend struct {
	mu struct {
		sync.Mutex
		replies bytes.Buffer
		started bool
		closed  bool
	}
	changed *sync.Cond
}

func newPgBackend() *pgBackend {
	b := &pgBackend{}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// Write takes whole messages, as pgx sends them, and looks at the first.
func (b *pgBackend) Write(message []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	switch {
	case b.mu.closed:
		return 0, net.ErrClosed
	case !b.mu.started: // the startup message has no type
		b.mu.started = true
		b.replyLocked(
			&pgproto3.AuthenticationOk{},
			&pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"},
			&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}},
			&pgproto3.ReadyForQuery{TxStatus: 'I'},
		)
	case message[0] == 'Q':
		b.replyLocked(&pgproto3.EmptyQueryResponse{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	case message[0] == 'X':
		b.mu.closed = true
	}
	return len(message), nil
}

func (b *pgBackend) replyLocked(messages ...pgproto3.BackendMessage) {
	for _, m := range messages {
		encoded, err := m.Encode(nil)
		if err != nil {
			panic(err) // they are constants
		}
		b.mu.replies.Write(encoded)
	}
}

func (b *pgBackend) Read(to []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.mu.replies.Len() == 0 && !b.mu.closed {
		b.changed.Wait()
	}
	if b.mu.replies.Len() == 0 {
		return 0, io.EOF
	}
	return b.mu.replies.Read(to)
}

func (b *pgBackend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.closed = true
	b.changed.Broadcast()
	return nil
}

func (b *pgBackend) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "memory", Net: "unix"} }
func (b *pgBackend) RemoteAddr() net.Addr             { return b.LocalAddr() }
func (b *pgBackend) SetDeadline(time.Time) error      { return nil }
func (b *pgBackend) SetReadDeadline(time.Time) error  { return nil }
func (b *pgBackend) SetWriteDeadline(time.Time) error { return nil }
