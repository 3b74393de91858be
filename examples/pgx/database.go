package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/connpool/connpool/internal/pgtest"
)

// database is the one to connect to, and what to do when done with it.
type database struct {
	url  string
	stop func() error
}

const databaseVariable = "DATABASE_URL"

// findDatabase returns the user's database or a private one.
func findDatabase(ctx context.Context, out io.Writer) (database, error) {
	if url := os.Getenv(databaseVariable); url != "" {
		fmt.Fprintf(out, "The database is that of %s.\n", databaseVariable)
		return database{url, func() error { return nil }}, nil
	}
	server, err := pgtest.Start(ctx, pgtest.Options{})
	if errors.Is(err, pgtest.ErrNotInstalled) {
		return database{}, fmt.Errorf("there is no database: set %s to one of yours, or let this program start one: %w", databaseVariable, err)
	}
	if err != nil {
		return database{}, err
	}
	fmt.Fprintf(out, "A private PostgreSQL server listens on %s.\n", server.Addr())
	return database{server.DSN(), server.Stop}, nil
}
