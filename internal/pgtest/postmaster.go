package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A postmaster is one run of the server's main process. A Server has a new one
// after each Restart.
type postmaster struct {
	cmd      *exec.Cmd
	gone     chan struct{} // closed when the process has ended and been reaped
	exit     error         // how it ended; read only after gone
	logStart int64         // where in the log this run begins
}

// errHeld marks a failed start that may work later, or on another port: the
// port belongs to somebody else, or the processes of the last run have not let
// go of its memory yet.
var errHeld = errors.New("what the server needs is held by another process")

// heldMessages are what postgres logs in those cases, under LC_ALL=C.
var heldMessages = []string{
	"could not bind",
	"pre-existing shared memory block",
	`lock file "postmaster.pid" already exists`,
}

// startPostmaster runs postgres and returns at once; see awaitReady.
//
// The order guard, then reap, keeps the watchdog's last word true: the line
// that says "gone" cannot overtake the line with the pid.
func startPostmaster(f *folder, program string, args []string) (*postmaster, error) {
	log, err := os.OpenFile(f.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgtest: opening the server's log: %w", err)
	}
	defer log.Close() // the server has its own descriptor
	start, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("pgtest: measuring the server's log: %w", err)
	}
	cmd := f.account.command(context.Background(), f.path, program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("pgtest: running postgres as uid %d: %w", f.account.uid, err)
	}
	p := &postmaster{cmd: cmd, gone: make(chan struct{}), logStart: start}
	guardErr := f.guard(cmd.Process.Pid)
	go p.reap(f)
	if guardErr != nil {
		return nil, errors.Join(guardErr, p.kill())
	}
	return p, nil
}

func (p *postmaster) reap(f *folder) {
	p.exit = p.cmd.Wait()
	f.unguard()
	close(p.gone)
}

func (p *postmaster) running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// probeEvery is the pause between two probes. A start takes some 40 ms.
const probeEvery = 5 * time.Millisecond

// awaitReady waits until the server accepts connections on its unix socket.
func (p *postmaster) awaitReady(ctx context.Context, socket string) error {
	for {
		unready := probe(ctx, socket)
		if unready == nil {
			return nil
		}
		if !p.running() {
			return fmt.Errorf("it exited: %w", errors.Join(p.exit, unready))
		}
		if err := sleep(ctx, probeEvery); err != nil {
			return errors.Join(err, unready)
		}
	}
}

// startError makes the error of a failed start from its cause and its log.
func startError(cause error, log string) error {
	for _, message := range heldMessages {
		if strings.Contains(log, message) {
			cause = errors.Join(errHeld, cause)
			break
		}
	}
	return fmt.Errorf("pgtest: the server did not start: %w\nthe end of its log:\n%s", cause, log)
}

// stopTimeout bounds a fast stop, which takes some 15 ms unless the server
// hangs. After it the server is killed.
const stopTimeout = 20 * time.Second

// stop ends the server in an orderly way, within stopTimeout. SIGINT is
// PostgreSQL's fast stop: sessions are cut off, the cluster is left clean.
func (p *postmaster) stop() error {
	_ = resume(p.cmd.Process.Pid) // a paused server would not hear the signal
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: stopping the server: %w", err)
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.gone:
		return nil
	case <-timer.C:
		return p.kill()
	}
}

// kill ends the server and its children with SIGKILL and returns when all are
// gone. Where the children cannot be listed it kills the postmaster alone;
// they notice its death and follow.
//
// The postmaster is frozen first: it can neither fork a child we would miss nor
// reap one, so the pids we signal are still those of its children.
func (p *postmaster) kill() error {
	children, freezeErr := freeze(p.cmd.Process.Pid)
	if errors.Is(freezeErr, errors.ErrUnsupported) {
		freezeErr = nil
	}
	children.kill()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: killing the server: %w", errors.Join(err, freezeErr))
	}
	<-p.gone
	return errors.Join(freezeErr, children.awaitGone())
}
