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
	dsn string
}

const bouncerConfig = `[databases]
%[1]s = host=%[2]s port=%[3]s dbname=%[1]s user=%[4]s password=%[5]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[6]d
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 200
default_pool_size = 50
ignore_startup_parameters = extra_float_digits
`

// StartPgBouncer starts a PgBouncer, in session mode, in front of the server
// that a DSN leads to. The caller must Stop it. Without the program the error
// matches ErrNotInstalled.
func StartPgBouncer(ctx context.Context, dsn string) (*PgBouncer, error) {
	to, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("servertest: the DSN is no URL: %w", err)
	}
	const file = "pgbouncer.ini"
	s, err := start(ctx, "pgbouncer", "apt-get install pgbouncer", func(s *Server) error {
		password, _ := to.User.Password()
		config := fmt.Sprintf(bouncerConfig, to.Path[1:], to.Hostname(), to.Port(), to.User.Username(), password, s.port)
		return os.WriteFile(filepath.Join(s.folder, file), []byte(config), 0o600)
	}, func(*Server) []string { return []string{file} })
	if err != nil {
		return nil, err
	}
	through := url.URL{Scheme: "postgres", User: url.User(to.User.Username()), Host: s.addr, Path: to.Path, RawQuery: "sslmode=disable"}
	return &PgBouncer{s, through.String()}, nil
}

// DSN returns the URL of the server's database through the PgBouncer.
func (b *PgBouncer) DSN() string { return b.dsn }
