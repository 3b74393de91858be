package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/connpool/connpool/internal/servertest"
)

// server is the one to connect to, and as whom.
type server struct {
	addr           string
	tls            *tls.Config // nil: without
	user, password string
	database       int
}

// host is a server, and what can be done to it.
type host struct {
	server
	own *servertest.Server // nil: it is the user's
}

func (h host) stop() error {
	if h.own == nil {
		return nil
	}
	return h.own.Stop()
}

const urlVariable = "REDIS_URL"

// findServer returns the user's server or a private one.
func findServer(ctx context.Context, out io.Writer) (host, error) {
	if text := os.Getenv(urlVariable); text != "" {
		to, err := parseURL(text)
		if err == nil {
			fmt.Fprintf(out, "The server is that of %s.\n", urlVariable)
		}
		return host{server: to}, err
	}
	own, err := servertest.StartRedis(ctx)
	if errors.Is(err, servertest.ErrNotInstalled) {
		return host{}, fmt.Errorf("there is no server: set %s to that of one, or let this program start one: %w", urlVariable, err)
	}
	if err != nil {
		return host{}, err
	}
	fmt.Fprintf(out, "A private Redis server listens on %s.\n", own.Addr())
	return host{server{addr: own.Addr()}, own}, nil
}

// errURL does not say what it found instead: that may be a password.
var errURL = fmt.Errorf("%s must be like redis://user:password@host:6379/0, or rediss:// for TLS", urlVariable)

func parseURL(text string) (to server, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return to, errURL
	}
	switch u.Scheme {
	case "redis":
	case "rediss":
		to.tls = &tls.Config{}
	default:
		return to, errURL
	}
	to.addr = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379"))
	to.password, _ = u.User.Password()
	to.user = cmp.Or(u.User.Username(), "default")
	if to.database, err = strconv.Atoi(cmp.Or(strings.TrimPrefix(u.Path, "/"), "0")); err != nil {
		return to, errURL
	}
	return to, nil
}
