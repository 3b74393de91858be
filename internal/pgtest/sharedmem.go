package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// removeSharedMemory gives back the System V segment of a server that was
// killed and not restarted. It holds a few bytes, but the system allows only so
// many segments (4096 on Linux, 32 on macOS), and nothing else would ever remove
// it. Nothing depends on its success.
func (f *folder) removeSharedMemory() {
	text, err := os.ReadFile(filepath.Join(f.path, clusterFolder, "postmaster.pid"))
	if err != nil {
		return // a server that stopped in order removed this file and its segment
	}
	if id, ok := segmentID(string(text)); ok {
		_ = f.account.command(context.Background(), "/", "ipcrm", "-m", id).Run()
	}
}

// segmentID finds the segment in postmaster.pid: the seventh line holds its key
// and its id.
func segmentID(pidFile string) (id string, ok bool) {
	const memoryLine = 6
	lines := strings.Split(pidFile, "\n")
	if len(lines) <= memoryLine {
		return "", false
	}
	fields := strings.Fields(lines[memoryLine])
	if len(fields) != 2 {
		return "", false
	}
	return fields[1], true
}
