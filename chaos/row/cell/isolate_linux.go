package cell

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/connpool/connpool/chaos/row"
)

// isolate gives a process a network namespace of its own, where we may, so that
// a scenario can have the kernel drop packets. All that a scenario talks to lives
// in its own process or is started by it.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 && mayUnshare() {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
		cmd.Env = append(cmd.Env, row.NamespaceEnv+"=1")
	}
}

// mayUnshare finds out by trying: a container may forbid it to root.
func mayUnshare() bool {
	probe := exec.Command("ip", "link", "set", "lo", "up")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return probe.Run() == nil
}

// settle brings up the loopback interface of a new namespace.
func settle() error {
	if os.Getenv(row.NamespaceEnv) == "" {
		return nil
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("cell: the loopback interface: %w: %s", err, out)
	}
	return nil
}
