package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Each child of the postmaster is the leader of a session of its own, so no
// process group spans the server. Its processes are found in /proc instead, by
// the pid of their parent.

// A process is one line of /proc/PID/stat.
type process struct {
	pid, parent int
	state       byte
	born        string // tells it from a later process with the same pid
}

// processes are a process and its descendants, or some of them.
type processes []process

// treeTimeout bounds the wait for signals to take effect, which takes
// milliseconds, but longer when the machine is loaded.
const treeTimeout = 20 * time.Second

const treeEvery = time.Millisecond

// freeze stops a process and all its descendants with SIGSTOP, and returns the
// descendants when none of them runs any more.
//
// A walk of /proc is no snapshot: a child forked meanwhile may be missed. So
// it is done only when a walk that began after all were stopped finds nothing
// new: a stopped process cannot fork.
func freeze(root int) (processes, error) {
	deadline := time.Now().Add(treeTimeout)
	for settled := false; ; time.Sleep(treeEvery) {
		tree, err := family(root)
		if err != nil {
			return nil, err
		}
		moving := tree.moving()
		if len(moving) == 0 && settled {
			return tree.without(root), nil
		}
		settled = len(moving) == 0
		moving.signal(syscall.SIGSTOP)
		if time.Now().After(deadline) {
			return tree.without(root), fmt.Errorf("%d of its processes do not stop", len(moving))
		}
	}
}

// resume undoes freeze.
func resume(root int) error {
	tree, err := family(root)
	tree.signal(syscall.SIGCONT)
	return err
}

func (ps processes) kill() { ps.signal(syscall.SIGKILL) }

// signal ignores failures: a process that is gone needs no signal, and one that
// does not obey is noticed by the caller, who waits for the effect.
func (ps processes) signal(signal syscall.Signal) {
	for _, p := range ps {
		_ = syscall.Kill(p.pid, signal)
	}
}

// awaitGone waits until all processes have ended. They are not our children, so
// there is nothing to wait on but /proc.
func (ps processes) awaitGone() error {
	deadline := time.Now().Add(treeTimeout)
	for _, p := range ps {
		for p.alive() {
			if time.Now().After(deadline) {
				return fmt.Errorf("pgtest: process %d of the server does not end", p.pid)
			}
			time.Sleep(treeEvery)
		}
	}
	return nil
}

// alive reports whether the process still runs. A zombie does not: it holds no
// memory and no files, and where init reaps nothing it stays for good.
func (p process) alive() bool {
	now, err := readProcess(strconv.Itoa(p.pid))
	return err == nil && now.born == p.born && !now.ended()
}

func (p process) ended() bool   { return p.state == 'Z' || p.state == 'X' }
func (p process) stopped() bool { return p.state == 'T' || p.state == 't' }

// moving returns the processes that still run.
func (ps processes) moving() (moving processes) {
	for _, p := range ps {
		if !p.stopped() && !p.ended() {
			moving = append(moving, p)
		}
	}
	return moving
}

func (ps processes) without(pid int) (rest processes) {
	for _, p := range ps {
		if p.pid != pid {
			rest = append(rest, p)
		}
	}
	return rest
}

// family returns a process and its descendants, parents first.
func family(root int) (processes, error) {
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	children := map[int]processes{}
	var tree processes
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
		if p.pid == root {
			tree = processes{p}
		}
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree, nil
}

func allProcesses() (processes, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all processes
	for _, name := range names {
		if p, err := readProcess(name); err == nil { // not a process, or gone meanwhile
			all = append(all, p)
		}
	}
	return all, nil
}

var errNotProcess = errors.New("not a process")

// readProcess reads one process. The program's name comes second, in
// parentheses, and may hold anything, even parentheses; what we want follows
// the last one: the state, the parent, and 18 fields later the start time.
func readProcess(name string) (process, error) {
	pid, err := strconv.Atoi(name)
	if err != nil {
		return process{}, errNotProcess
	}
	line, err := os.ReadFile("/proc/" + name + "/stat")
	if err != nil {
		return process{}, err
	}
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) < 20 {
		return process{}, errNotProcess
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return process{pid: pid, parent: parent, state: fields[0][0], born: string(fields[19])}, err
}
