package pgtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A Server is one private PostgreSQL server. Its address and password stay the
// same for its whole life, restarts included.
//
// It is safe for concurrent use; calls that change its state take turns.
type Server struct {
	install  install
	settings []string // as arguments of postgres
	timeout  time.Duration
	folder   *folder
	password string
	port     int // fixed once Start returns

	mu struct {
		sync.Mutex
		run     *postmaster // the present run, or the last one when down
		stopped bool        // Stop was called: the folder is gone
		lastLog string      // what Log returns then
	}
}

var (
	errStopped = errors.New("pgtest: the server was stopped for good; Start a new one")
	errDown    = errors.New("pgtest: the server is down; Restart it first")
)

// Start starts a server and returns once it accepts connections. The caller
// must Stop it.
//
// ctx bounds the start only, not the server's life. A start takes some 80 ms
// when the folder lies in memory (see baseFolders) and 400 ms on a slow disk;
// Restart takes 25 ms. The first start on a machine runs initdb, which adds one
// to three seconds. Without server binaries the
// error matches ErrNotInstalled; on systems this package does not know,
// errors.ErrUnsupported.
func Start(ctx context.Context, options Options) (*Server, error) {
	s, err := prepare(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := s.startOnFreePort(ctx, freePort); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// prepare does everything but start the server.
func prepare(ctx context.Context, options Options) (*Server, error) {
	settings, err := options.settingArgs()
	if err != nil {
		return nil, err
	}
	a, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	i, err := findInstall(binFolders())
	if err != nil {
		return nil, err
	}
	t, err := findTemplate(ctx, i, a)
	if err != nil {
		return nil, err
	}
	f, err := newFolder(a)
	if err != nil {
		return nil, err
	}
	password, err := t.copyTo(f)
	if err == nil && options.TLS {
		err = certify(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return &Server{install: i, settings: settings, timeout: options.startTimeout(), folder: f, password: password}, nil
}

// portAttempts is how many ports are tried. Losing one to somebody else is rare,
// losing ten in a row is no accident.
const portAttempts = 10

func (s *Server) startOnFreePort(ctx context.Context, pick func(context.Context) (int, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last error
	for range portAttempts {
		port, err := pick(ctx)
		if err != nil {
			return err
		}
		s.port = port
		if last = s.launchLocked(ctx); !errors.Is(last, errHeld) {
			return last
		}
	}
	return last
}

// launchLocked starts the server on its port and waits until it accepts. A
// server that does not is killed.
func (s *Server) launchLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	run, err := startPostmaster(s.folder, s.install.postgres(), s.args())
	if err != nil {
		return err
	}
	s.mu.run = run
	if err := run.awaitReady(ctx, s.socket()); err != nil {
		err = errors.Join(err, run.kill())
		return startError(err, s.folder.readLog(run.logStart))
	}
	return nil
}

// args puts our own last: there the last of two wins, whatever spelling of a
// setting's name the caller found.
func (s *Server) args() []string {
	return append(slices.Clone(s.settings),
		"-D", filepath.Join(s.folder.path, clusterFolder),
		"-k", s.folder.path,
		"-h", host,
		"-p", strconv.Itoa(s.port),
	)
}

func (s *Server) socket() string {
	return filepath.Join(s.folder.path, ".s.PGSQL."+strconv.Itoa(s.port))
}

// Stop stops the server and removes its folder, for good. It cuts off sessions,
// and kills the server if it does not stop within 20 s. It may be called in any
// state and more than once.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return nil
	}
	err := s.shutdownLocked()
	s.mu.stopped = true
	s.mu.lastLog = s.folder.readLog(0)
	s.folder.removeSharedMemory()
	return errors.Join(err, s.folder.remove())
}

// Shutdown stops the server in an orderly way, as Stop does, and keeps its data
// for Restart. It does nothing to a server that is down.
func (s *Server) Shutdown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shutdownLocked()
}

func (s *Server) shutdownLocked() error {
	if !s.runningLocked() {
		return nil
	}
	return s.mu.run.stop()
}

// Kill kills the server and all its processes with SIGKILL, as a crash would.
// What was committed survives, and Restart recovers it. It does nothing to a
// server that is down. Elsewhere than on Linux only the main process is killed
// and the others follow shortly after.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.runningLocked() {
		return nil
	}
	return s.mu.run.kill()
}

// restartEvery is the pause between attempts while the last run's processes
// still let go of the port and the memory.
const restartEvery = 50 * time.Millisecond

// Restart starts the server again, on the same address and data, and returns
// once it accepts connections. A server that runs is shut down first.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return errStopped
	}
	if err := s.shutdownLocked(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for {
		err := s.launchLocked(ctx)
		if !errors.Is(err, errHeld) {
			return err
		}
		if end := sleep(ctx, restartEvery); end != nil {
			return errors.Join(end, err)
		}
	}
}

// Pause freezes all the server's processes with SIGSTOP, and returns once none
// of them runs: the server looks like one behind a network that drops
// everything. Connections stay open, and the kernel still accepts new ones, but
// nothing answers. Linux only; elsewhere the error matches
// errors.ErrUnsupported.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.runningLocked() {
		return errDown
	}
	if _, err := freeze(s.mu.run.cmd.Process.Pid); err != nil {
		return fmt.Errorf("pgtest: pausing the server: %w", err)
	}
	return nil
}

// Continue lets a paused server go on. It does nothing to one that is not
// paused. Linux only, as Pause.
func (s *Server) Continue() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.runningLocked() {
		return errDown
	}
	if err := resume(s.mu.run.cmd.Process.Pid); err != nil {
		return fmt.Errorf("pgtest: letting the server continue: %w", err)
	}
	return nil
}

// Log returns the end of the server's log, some 8 KB, for failure messages. It
// works in any state, and may then contain what clients sent in their
// statements.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return s.mu.lastLog
	}
	return s.folder.readLog(0)
}

func (s *Server) runningLocked() bool {
	return s.mu.run != nil && s.mu.run.running()
}
