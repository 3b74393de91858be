package servertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// PgBouncer is a private PgBouncer in front of one PostgreSQL server.
type PgBouncer struct {
	*Server
	dsn, console string
}

const (
	bouncerConfig = `[databases]
%[1]s = host=%[2]s port=%[3]s dbname=%[1]s user=%[4]s password=%[5]s
[pgbouncer]
%[6]s`

	// consoleUser is who may do everything on the console, where nobody is asked for
	// a password. The console's database is a namesake.
	consoleUser = "pgbouncer"
)

// StartPgBouncer starts a PgBouncer in front of the server that a DSN leads to.
// The caller must Stop it. Without the program the error matches ErrNotInstalled.
func StartPgBouncer(ctx context.Context, dsn string, options PgBouncerOptions) (*PgBouncer, error) {
	to, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("servertest: the DSN is no URL: %w", err)
	}
	const file = "pgbouncer.ini"
	s, err := start(ctx, "pgbouncer", "apt-get install pgbouncer", func(s *Server) error {
		settings, err := options.lines(ctx, s)
		if err != nil {
			return err
		}
		password, _ := to.User.Password()
		config := fmt.Appendf(nil, bouncerConfig, to.Path[1:], to.Hostname(), to.Port(), to.User.Username(), password, settings)
		return os.WriteFile(filepath.Join(s.folder, file), config, 0o600)
	}, func(*Server) []string { return []string{file} })
	if err != nil {
		return nil, err
	}
	return &PgBouncer{
		Server:  s,
		dsn:     bouncerURL(s, to.User.Username(), to.Path, "sslmode=disable"),
		console: bouncerURL(s, consoleUser, "/"+consoleUser, "sslmode=disable&default_query_exec_mode=simple_protocol"),
	}, nil
}

func bouncerURL(s *Server, user, path, query string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: s.addr, Path: path, RawQuery: query}
	return u.String()
}

// DSN returns the URL of the server's database through the PgBouncer.
func (b *PgBouncer) DSN() string { return b.dsn }

// ConsoleDSN returns the URL of the PgBouncer's console, which takes SHOW POOLS,
// RECONNECT and the like, and knows no protocol but the simple one.
func (b *PgBouncer) ConsoleDSN() string { return b.console }
