package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// app is the program: its servers, and a look at each.
type app struct {
	options
	servers
	out      io.Writer
	console  *console  // PgBouncer's, or nil if we may not see it
	sessions *sessions // PostgreSQL's, or nil
	tracked  bool      // PgBouncer tracks prepared statements
}

// askServers connects to where the servers tell about themselves.
func (a *app) askServers(ctx context.Context) (err error) {
	if a.databaseURL != "" {
		if a.sessions, err = openSessions(ctx, a.databaseURL); err != nil {
			return err
		}
	}
	a.console, err = openConsole(ctx, a.consoleURL, a.bouncerURL)
	if err != nil && a.private != nil {
		return err
	}
	if err != nil {
		fmt.Fprintf(a.out, "Its console is not for us (stats_users): %v\n", err)
		return nil
	}
	version, limit, err := a.console.ask(ctx)
	if err != nil {
		return err
	}
	a.tracked = limit > 0
	fmt.Fprintf(a.out, "It is %s, and prepared statements are %s.\n", version, map[bool]string{true: "tracked", false: "not tracked"}[a.tracked])
	return nil
}

// close ends connections first, and servers in the reverse order of their starts.
func (a *app) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	var errs []error
	if a.console != nil {
		errs = append(errs, a.console.conn.Close(ctx))
	}
	if a.sessions != nil {
		errs = append(errs, a.sessions.conn.Close(ctx))
	}
	for _, stop := range slices.Backward(a.stop) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

func (a *app) headline(text string) { fmt.Fprintf(a.out, "\n== %s\n\n", text) }
