package pgtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childEnv makes the test binary play another program that uses this package.
const childEnv = "PGTEST_TEST_CHILD"

func TestMain(m *testing.M) {
	switch role := os.Getenv(childEnv); role {
	case "":
		goleak.VerifyTestMain(m)
	default:
		fmt.Println(playChild(role))
	}
}

// playChild starts a server, tells the parent where it is, and then either
// stops it or holds it until killed.
func playChild(role string) error {
	server, err := Start(context.Background(), Options{})
	if err != nil {
		return err
	}
	if role == "once" {
		return server.Stop()
	}
	if role == "pause" {
		if err := server.Pause(); err != nil {
			return err
		}
	}
	fmt.Println(server.folder.path, server.mu.run.cmd.Process.Pid)
	_, err = io.Copy(io.Discard, os.Stdin) // until killed
	return err
}

func childProcess(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}
