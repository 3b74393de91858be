package servertest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// run is one run of a server's program, between a start and a kill.
type run struct {
	shell *exec.Cmd
	words io.WriteCloser // closing it has the shell end the server
	pid   int
}

const logFile = "log"

// guardScript starts a program, tells its pid, and waits for the pipe to close.
// The shell does not wait for its child before that, so the pid stays the
// child's. If the folder's owner is gone by then, nobody needs the folder. Whoever
// is to be told the pid may be gone, too: the program must end all the same.
const guardScript = `
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
pid=$!
trap '' PIPE
echo $pid
read -r order
kill -KILL $pid
wait $pid
[ -n "$order" ] || rm -rf -- "$folder"
`

func launch(folder, program string, args, env []string) (*run, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", guardScript, "connpool-guard", folder, program}, args...)...)
	cmd.Dir = folder
	cmd.Env = slices.Concat(os.Environ(), env, []string{"LC_ALL=C"})
	cmd.SysProcAttr = unprivileged()
	words, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("servertest: %w", err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("servertest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("servertest: starting %s: %w", program, err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err == nil {
		var pid int
		if pid, err = strconv.Atoi(strings.TrimSpace(line)); err == nil {
			return &run{cmd, words, pid}, nil
		}
	}
	_ = words.Close()
	_ = cmd.Wait()
	return nil, fmt.Errorf("servertest: starting %s: %w", program, err)
}

// kill has the shell kill the server, and waits for both. The shell exits with
// whatever its last command said.
func (r *run) kill() error {
	_, err := io.WriteString(r.words, "kill\n")
	_ = r.words.Close()
	_ = r.shell.Wait()
	if err != nil {
		return fmt.Errorf("servertest: the guard of %d is gone: %w", r.pid, err)
	}
	return nil
}
