package pgtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The role and the database every server has. The role is a superuser.
//
// The password is in the DSN. It is drawn at random once per template, because
// a superuser may run programs as the server's account: a password anybody can
// read in this file would lend that account to every user of the machine.
const (
	User     = "postgres"
	Database = "postgres"
)

// Options say how a server differs from the usual one. The zero value is ready
// to use.
type Options struct {
	// Settings are server settings as in postgresql.conf, for example
	// "max_connections": "20". They override the fast ones this package
	// chooses. Those which say where the server lives and listens are refused,
	// for the DSN would no longer lead there. Nil means none.
	Settings map[string]string

	// TLS has the server speak it, with a certificate of its own, to clients that
	// ask for it as TLSDSN does.
	TLS bool

	// StartTimeout bounds each wait for the server to accept connections, in
	// Start and in Restart. Zero means 30 s: a start takes well under a second,
	// but a loaded machine may stall for several.
	StartTimeout time.Duration
}

const defaultStartTimeout = 30 * time.Second

func (o Options) startTimeout() time.Duration {
	if o.StartTimeout > 0 {
		return o.StartTimeout
	}
	return defaultStartTimeout
}

// fastSettings trade only what a test never needs: surviving a crash of the
// machine. Surviving kill -9 of the server must stay possible, so
// synchronous_commit stays on (a commit reaches the kernel before it is
// answered) and so does full_page_writes (a killed process may leave a page
// half written).
var fastSettings = map[string]string{
	"fsync":        "off",
	"max_wal_size": "256MB", // few checkpoints within a test, yet it may all lie in memory
	// Parallel queries share memory through files in the data folder, which go
	// when the folder goes. The default leaves them in /dev/shm after a kill -9.
	"dynamic_shared_memory_type": "mmap",
}

// ownSettings are the ones that DSN and Log rely on.
var ownSettings = []string{
	"data_directory", "listen_addresses", "log_destination", "logging_collector",
	"port", "unix_socket_directories",
}

// settingArgs returns the fast settings and the caller's as arguments of
// postgres, in a stable order.
func (o Options) settingArgs() ([]string, error) {
	settings := maps.Clone(fastSettings)
	if o.TLS {
		settings["ssl"] = "on"
	}
	for name, value := range o.Settings {
		if slices.Contains(ownSettings, strings.ToLower(name)) {
			return nil, fmt.Errorf("pgtest: setting %q is chosen by this package; leave it out", name)
		}
		settings[name] = value
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args, nil
}
