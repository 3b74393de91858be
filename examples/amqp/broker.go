package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/connpool/connpool/internal/servertest"
)

// broker is the one to connect to. Only a private one may be killed.
type broker struct {
	url     string
	private *servertest.Server // nil: it is the user's own
}

const brokerVariable = "AMQP_URL"

// findBroker returns the user's broker or a private one.
func findBroker(ctx context.Context, out io.Writer) (broker, error) {
	if address := os.Getenv(brokerVariable); address != "" {
		fmt.Fprintf(out, "The broker is that of %s.\n", brokerVariable)
		return broker{url: address}, nil
	}
	began := time.Now()
	server, err := servertest.StartRabbitMQ(ctx)
	if errors.Is(err, servertest.ErrNotInstalled) {
		return broker{}, fmt.Errorf("there is no broker: set %s to one of yours, or let this program start one: %w", brokerVariable, err)
	}
	if err != nil {
		return broker{}, err
	}
	fmt.Fprintf(out, "A private RabbitMQ listens on %s, after %v.\n", server.Addr(), since(began))
	return broker{urlOf(server), server}, nil
}

func urlOf(server *servertest.Server) string {
	address := url.URL{Scheme: "amqp", User: url.UserPassword("guest", "guest"), Host: server.Addr(), Path: "/"}
	return address.String()
}

func (b broker) stop() error {
	if b.private == nil {
		return nil
	}
	return b.private.Stop()
}

// since leaves out the digits that say nothing.
func since(began time.Time) time.Duration { return time.Since(began).Round(10 * time.Millisecond) }
