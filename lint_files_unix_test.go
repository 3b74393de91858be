//go:build unix

package connpool

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// fewFilesVariable tells a process that it is the one with few files.
const fewFilesVariable = "CONNPOOL_TEST_FEW_FILES"

// A process has one limit of open files, so the one with a low limit is another:
// this program once more.
func TestLintSeesTheLimitThatTheProcessWasStartedWith(t *testing.T) {
	if os.Getenv(fewFilesVariable) != "" {
		require.EqualValues(t, 100, fileLimit())
		c := sound()
		require.Empty(t, c.Lint())
		c.MaxSize = 76
		require.Contains(t, about(c.Lint(), "MaxSize")[0], "76 connections may be open, of the 100 files")
		return
	}
	poor := exec.Command("sh", "-c", `ulimit -n 100 && exec "$0" "$@"`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	poor.Env = append(os.Environ(), fewFilesVariable+"=1")
	out, err := poor.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "the other process has been there")
}
