package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/connpool/connpool/examples/internal/tcpserver"
)

// work is how long the server thinks about a request.
const work = time.Millisecond

// startServer starts a server of a protocol of lines: PING is answered with
// PONG, GET and a key with the value or with ERR and a reason.
func startServer(addr string) (*tcpserver.Server, error) { return tcpserver.Start(addr, serve) }

func serve(_ context.Context, conn net.Conn) {
	fmt.Fprintln(conn, greeting)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if _, err := fmt.Fprintln(conn, answer(lines.Text())); err != nil {
			return
		}
	}
}

func answer(line string) string {
	switch verb, key, _ := strings.Cut(line, " "); {
	case verb == "PING":
		return "PONG"
	case verb != "GET":
		return "ERR unknown verb"
	case key == missing:
		return "ERR no such key"
	default:
		time.Sleep(work)
		return "the value of " + key
	}
}

// missing is the key that the server does not know.
const missing = "missing"
