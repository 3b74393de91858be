package servertest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// MariaDB is a private MariaDB.
type MariaDB struct{ *Server }

// mariaUser is the role, its password, and the database of every server.
const mariaUser = "test"

// noAIO keeps servers from sharing the kernel's few asynchronous requests
// (fs.aio-max-nr): many at once would not all start.
const noAIO = "--innodb-use-native-aio=0"

// mariaInit runs at each start.
const mariaInit = `CREATE DATABASE IF NOT EXISTS test;
CREATE USER IF NOT EXISTS 'test'@'127.0.0.1' IDENTIFIED BY 'test';
CREATE USER IF NOT EXISTS 'plain'@'127.0.0.1' IDENTIFIED BY 'plain';
GRANT ALL ON *.* TO 'test'@'127.0.0.1' WITH GRANT OPTION;
GRANT ALL ON test.* TO 'plain'@'127.0.0.1';
`

// StartMariaDB starts a MariaDB with the given settings, as they stand in a
// configuration file. The caller must Stop it. Without the program the error
// matches ErrNotInstalled.
func StartMariaDB(ctx context.Context, settings map[string]string) (*MariaDB, error) {
	s, err := start(ctx, "mariadbd", "apt-get install mariadb-server", func(s *Server) error {
		if err := os.WriteFile(s.file("init.sql"), []byte(mariaInit), 0o600); err != nil {
			return err
		}
		return s.installMariaDB(ctx)
	}, func(s *Server) []string { return s.mariaArgs(settings) })
	if err != nil {
		return nil, err
	}
	return &MariaDB{s}, nil
}

// installMariaDB creates the system tables. It runs as this process's user;
// start hands the folder over.
func (s *Server) installMariaDB(ctx context.Context) error {
	const script = "mariadb-install-db"
	if _, err := exec.LookPath(script); err != nil {
		return fmt.Errorf("%w: %s (apt-get install mariadb-server)", ErrNotInstalled, script)
	}
	args := []string{
		"--no-defaults", "--datadir=" + s.file("data"), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M", noAIO,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	install := exec.CommandContext(ctx, script, args...)
	install.Env = append(os.Environ(), "TMPDIR="+s.folder) // tables of others are in the machine's
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("servertest: %s: %w: %s", script, err, out)
	}
	return nil
}

// mariaArgs are the server's. Nothing that it writes has to survive the machine,
// only a kill of the server.
func (s *Server) mariaArgs(settings map[string]string) []string {
	args := []string{
		"--no-defaults", "--datadir=" + s.file("data"), "--init-file=" + s.file("init.sql"),
		"--port=" + strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--socket=" + s.file("socket"),
		"--pid-file=" + s.file("pid"), "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2",
		"--tmpdir=" + s.folder, "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M", noAIO,
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name+"="+settings[name])
	}
	return args
}

func (s *Server) file(name string) string { return filepath.Join(s.folder, name) }

// DSN returns the server's data source name as go-sql-driver/mysql takes it. Its
// user may do everything.
func (m *MariaDB) DSN() string { return MariaDSN(m.addr) }

// PlainDSN is DSN of a user without privileges beyond the database: one that a
// read-only server refuses writes, and for which the server keeps no connection
// in reserve.
func (m *MariaDB) PlainDSN() string { return mariaDSN("plain", m.addr) }

// MariaDSN returns the data source name of a MariaDB that is reached at another
// address, such as a proxy's.
func MariaDSN(addr string) string { return mariaDSN(mariaUser, addr) }

func mariaDSN(user, addr string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", user, user, addr, mariaUser)
}
