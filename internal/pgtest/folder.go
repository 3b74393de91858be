package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// A folder is a private folder of the account, guarded by a watchdog: a shell
// that waits for our end of a pipe to close. The kernel closes it when our
// process dies, however it dies. The watchdog then ends the server that lives
// in the folder and removes the folder.
//
// Pdeathsig would be less code, but it fires when the OS thread that started
// the child exits, and Go retires threads at will.
type folder struct {
	path     string
	account  account
	watchdog *exec.Cmd
	words    io.WriteCloser // the pipe; closing it lets the watchdog go
}

// watchdogScript reads lines until the pipe closes. The last line is the state
// of the folder: the pid of its server, or an empty line when none runs.
//
// SIGQUIT makes the postmaster take its children along and give back its
// shared memory. SIGCONT wakes one that was paused; its paused children it kills
// itself after five seconds, hence the ten.
const watchdogScript = `
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	kill -QUIT "$pid"; kill -CONT "$pid"
	tries=100
	while [ $tries -gt 0 ] && kill -0 "$pid"; do sleep 0.1; tries=$((tries-1)); done
	[ $tries -gt 0 ] || kill -KILL "$pid"
fi
rm -rf -- "$1"
`

// newFolder makes a folder and sets its watchdog. Whoever receives it must
// call remove.
func newFolder(a account) (*folder, error) {
	base, err := baseFolder(a)
	if err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(base, "pgtest-")
	if err != nil {
		return nil, fmt.Errorf("pgtest: making the server's folder: %w", err)
	}
	f := &folder{path: path, account: a}
	if err := errors.Join(a.own(path), f.startWatchdog()); err != nil {
		_ = os.RemoveAll(path)
		return nil, err
	}
	return f, nil
}

// longestSocket is the length of a unix socket's path that every system
// accepts: 104 bytes on macOS and the BSDs, with the closing zero.
const longestSocket = 103

// baseFolder picks where folders are made: the first place where a unix
// socket's path is short enough and that the account can enter.
func baseFolder(a account) (string, error) {
	candidates := baseFolders()
	for _, base := range candidates {
		longest := filepath.Join(base, "pgtest-4294967295", ".s.PGSQL.65535")
		if len(longest) <= longestSocket && a.canReach(base) {
			return base, nil
		}
	}
	return "", fmt.Errorf("pgtest: none of %q is short and open to uid %d; set TMPDIR to one that is", candidates, a.uid)
}

// baseFolders lists the places, most wanted first. A folder in memory saves most
// of the time of a start: a cluster is a thousand small files, and some file
// systems take most of a millisecond to create one. Who sets TMPDIR knows
// better.
func baseFolders() []string {
	const everywhere = "/tmp"
	if os.Getenv("TMPDIR") == "" && hasRoom(memoryFolder) {
		return []string{memoryFolder, everywhere}
	}
	return []string{os.TempDir(), everywhere}
}

func (f *folder) startWatchdog() (err error) {
	cmd := f.account.command(context.Background(), "/", "/bin/sh", "-c", watchdogScript, "pgtest-watchdog", f.path)
	if f.words, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("pgtest: starting the watchdog as uid %d: %w", f.account.uid, err)
	}
	f.watchdog = cmd
	return nil
}

// guard tells the watchdog which process to end when we die.
func (f *folder) guard(pid int) error {
	if _, err := fmt.Fprintln(f.words, pid); err != nil {
		return fmt.Errorf("pgtest: the watchdog is gone, so the server would outlive us: %w", err)
	}
	return nil
}

// unguard tells the watchdog that the process is gone, so that it never signals
// a later process of the same pid. A watchdog that is gone itself signals none.
func (f *folder) unguard() { _, _ = fmt.Fprintln(f.words) }

// remove deletes the folder and lets the watchdog go. The server must be gone.
func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	_ = f.words.Close()
	_ = f.watchdog.Wait() // how it ended no longer matters
	if err != nil {
		return fmt.Errorf("pgtest: removing the server's folder: %w", err)
	}
	return nil
}
