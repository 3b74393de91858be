package servertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// ErrNotInstalled says that a server's program was not found.
var ErrNotInstalled = errors.New("servertest: not installed")

// Server is one private server. Its address stays the same for its whole life,
// restarts included. It is safe for concurrent use.
type Server struct {
	program string
	args    func(*Server) []string
	env     []string // beside our own; prepare may set it
	folder  string
	addr    string
	port    int

	mu struct {
		sync.Mutex
		run     *run // nil when down
		stopped bool
	}
}

// startTimeout bounds the wait for a server to accept connections. It takes tens
// of milliseconds, RabbitMQ seconds, and a loaded machine may stall for many more.
const startTimeout = time.Minute

// start starts a program. prepare puts its files into the folder.
func start(ctx context.Context, program, hint string, prepare func(*Server) error, args func(*Server) []string) (*Server, error) {
	path, err := find(program)
	if err != nil {
		return nil, fmt.Errorf("%w: %s (%s)", ErrNotInstalled, program, hint)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "connpool-"+filepath.Base(program)+"-")
	if err != nil {
		return nil, fmt.Errorf("servertest: %w", err)
	}
	s := &Server{program: path, args: args, folder: folder, port: port, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	err = prepare(s)
	if err == nil {
		err = hand(folder)
	}
	if err == nil {
		err = s.Restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// find looks for a program where it is installed, which for daemons need not be
// in PATH.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", program))
}

// Ports are drawn from below the range that the kernel hands out by itself: one
// from there could be gone when a server that was killed wants it back.
const (
	firstPort = 20000
	portCount = 12000
)

// freePort returns a port that nobody listens on.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := firstPort + rand.IntN(portCount)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("servertest: finding a free port: %w", last)
}

// Addr returns the server's address as host:port.
func (s *Server) Addr() string { return s.addr }

// Kill kills the server with SIGKILL. It does nothing to one that is down.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.run == nil {
		return nil
	}
	err := s.mu.run.kill()
	s.mu.run = nil
	return err
}

var errStopped = errors.New("servertest: stopped for good")

// Restart starts a server that is down, and returns once it accepts
// connections. One that runs is killed first.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopped {
		return errStopped
	}
	run, err := launch(s.folder, s.program, s.args(s), s.env)
	if err != nil {
		return err
	}
	s.mu.run = run
	return s.awaitLocked(ctx)
}

func (s *Server) awaitLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", s.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("servertest: %s does not accept connections: %w: %s", s.program, err, s.log())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// mostLog is how much of a log fits an error.
const mostLog = 2000

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.folder, logFile))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-mostLog):])
}

// Stop kills the server and removes its folder. It may be called more than once.
func (s *Server) Stop() error {
	err := s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stopped = true
	return errors.Join(err, os.RemoveAll(s.folder))
}
