package pgtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// probeTimeout bounds one probe, so that a server that hangs in its start is
// asked again.
const probeTimeout = time.Second

// probe asks whether the server on the unix socket accepts connections: it
// sends a startup message and expects to be asked for a password. A mere
// connect proves nothing, since the kernel accepts on the server's behalf, and
// a server that still recovers answers with an error instead.
//
// It asks over the socket and not over TCP because the socket lies in our own
// folder: whoever answers is our server, while the port may have gone to
// somebody else's. The server opens its TCP port before its socket.
func probe(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return handshake(conn)
}

// handshake is the first exchange of the PostgreSQL protocol.
func handshake(conn io.ReadWriter) error {
	if _, err := conn.Write(startupMessage()); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	const authenticationRequest = 'R'
	if answer[0] != authenticationRequest {
		return fmt.Errorf("the server answers %q instead of asking for a password", answer[0])
	}
	return nil
}

// startupMessage is its own length, the protocol version 3.0, and pairs of
// names and values, closed by an empty name.
func startupMessage() []byte {
	const version30 = 3 << 16
	body := binary.BigEndian.AppendUint32(nil, version30)
	body = append(body, "user\x00"+User+"\x00database\x00"+Database+"\x00\x00"...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(4+len(body))), body...)
}
