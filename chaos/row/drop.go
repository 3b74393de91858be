package row

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"

	"github.com/jackc/pgx/v5"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/internal/pgtest"
)

type pgConfig = connpool.Config[*pgx.Conn]

// dropPackets is a black hole in the kernel: packets to the port by which the
// sessions were opened are dropped, and those to the port of the new way are
// not. It needs a network namespace of this process's own, so that nobody else's
// packets are dropped, whatever happens to us.
func (t *Trial) dropPackets(postgres *pgtest.Server) {
	if err := canDrop(); err != nil {
		t.Sawf("dropped packets not run: %v", err) // not even in CI, which may not be root
		return
	}
	old, young := t.startProxy(postgres.Addr()), t.startProxy(postgres.Addr())
	_, port, err := net.SplitHostPort(old.Addr())
	t.Must(err, "the port")
	t.fallSilent("dropped packets", postgres.DSN(), old.Addr(), young.Addr(), func() error {
		return command("iptables", "-A", "INPUT", "-i", "lo", "-p", "tcp", "--dport", port, "-j", "DROP")
	})
}

// NamespaceEnv is set where this process has a network namespace of its own.
const NamespaceEnv = "CHAOS_NETWORK_NAMESPACE"

var errNoNamespace = errors.New("this process has no network namespace of its own (that takes root)")

func canDrop() error {
	if os.Getenv(NamespaceEnv) == "" {
		return errNoNamespace
	}
	if _, err := exec.LookPath("iptables"); err != nil {
		return err
	}
	return nil
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}
