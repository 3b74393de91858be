package servertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	rabbitConfig = `listeners.tcp.1 = %s
log.console = true
log.file = false
`
	// Nodes of a cluster find each other through a daemon, which the first of them
	// would start and leave behind. A node that neither listens for others nor needs
	// to be told where they listen does without; the port is nobody's.
	rabbitAlone = "-sname connpool@localhost -start_epmd false -dist_listen false -erl_epmd_port 1"
)

// StartRabbitMQ starts a RabbitMQ without plugins, which keeps what is durable
// through a Restart. Its user is guest, with the password guest. The caller must
// Stop it. Without the program the error matches ErrNotInstalled.
func StartRabbitMQ(ctx context.Context) (*Server, error) {
	return start(ctx, rabbitProgram(), "apt-get install rabbitmq-server", func(s *Server) error {
		in := func(name string) string { return filepath.Join(s.folder, name) }
		s.env = []string{
			"HOME=" + s.folder, // Erlang's cookie goes there
			"RABBITMQ_NODENAME=connpool@localhost",
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=" + rabbitAlone,
			"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"),
			// What is not there: the machine's own settings and plugins are for its own
			// broker.
			"RABBITMQ_CONF_ENV_FILE=" + in("rabbitmq-env.conf"),
			"RABBITMQ_ENABLED_PLUGINS_FILE=" + in("enabled_plugins"),
			"RABBITMQ_MNESIA_BASE=" + s.folder,
			"RABBITMQ_LOG_BASE=" + s.folder,
			"RABBITMQ_LOGS=-",
			"ERL_CRASH_DUMP_BYTES=0",
			// It has the script become the broker, not watch it: the script's process
			// is the one to kill.
			"RUNNING_UNDER_SYSTEMD=true",
		}
		return os.WriteFile(in("rabbitmq.conf"), fmt.Appendf(nil, rabbitConfig, s.addr), 0o600)
	}, func(*Server) []string { return nil })
}

// rabbitProgram returns the broker's own script where Debian puts it: what it has
// in PATH insists on the broker's own user.
func rabbitProgram() string {
	const script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	if _, err := exec.LookPath(script); err == nil {
		return script
	}
	return "rabbitmq-server"
}
