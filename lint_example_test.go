package connpool_test

import (
	"context"
	"fmt"
	"net"

	"github.com/connpool/connpool"
)

// In a test, or with the results logged when a program starts.
func ExampleConfig_Lint() {
	cfg := connpool.Config[net.Conn]{
		Connect: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", "db.example.com:5432")
		},
		MaxLifetime: -1,
	}
	for _, advice := range cfg.Lint() {
		fmt.Printf("%s: %s\n\t%s\n", advice.Field, advice.Problem, advice.Fix)
	}
	// Output:
	// Check: without Check and Alive, a connection that has died is found by the next user's work
	// 	set Check to a cheap round trip, or Alive to a look at the connection
	// MaxLifetime: it is off: connections outlive fail-overs, moved addresses and revoked passwords
	// 	set it to about half an hour
}
