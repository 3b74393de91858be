package connpool

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCommonPathIsInlinedInAUsersProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and disassembles a program")
	}
	program := filepath.Join(t.TempDir(), "leak")
	output, err := exec.Command("go", "build", "-o", program, "./examples/leak").CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, function := range []string{`connpool\.\(\*Pool\[.*\]\)\.Acquire$`, `connpool\.Lease\[.*\]\.Release$`} {
		assembly, err := exec.Command("go", "tool", "objdump", "-s", function, program).Output()
		require.NoError(t, err)
		require.Contains(t, string(assembly), "TEXT", "the program has no %s", function)
		require.NotRegexp(t, `CALL .*/internal/(slot|waitq)\.`, string(assembly))
	}
}
