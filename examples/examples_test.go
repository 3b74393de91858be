// Package examples runs the example programs from end to end.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is an example, how to have it finish soon, and what it must print.
type program struct {
	name string
	args func(t *testing.T) []string
	want []string
}

// A new example is a line here.
var programs = []program{
	{"quickstart", flags("-handshake=2ms", "-requests=300", "-budget=1s"), []string{
		"A handshake of 2ms:",
		"A handshake of 0s:",
		"a connection a request",
		"pooled",
		"the pool is better by",
		"0 time-outs, 0 leaks, 0 stale releases",
	}},
	{"netconn", flags("-before=200ms", "-down=100ms", "-after=200ms"), []string{
		"server: going down",
		"server: up again",
		"requests answered",
		"failed, under way when the server went down",
		"failed otherwise",
	}},
	{"leak", leakFlags, []string{
		"by main.service.streamEvents (service.go:",
		"3 leases, longest held",
		"suspected leak",
		"no connection in",
		"4 of 4 in use",
		"main.service.handleReport (service.go:",
		"go tool pprof -top",
		"connpool profile: total 4",
		"not shut down: context deadline exceeded",
		"lost lease",
		"The pool lends again",
	}},
	{"sizing", flags("-phase=400ms"), []string{
		"DemandSize", "QueueSize", "DeadlockFloor", "FleetSize", "CoresSize",
		"Recommend, for web work",
		"Recommend, for batch work",
		"Recommend, for real-time work",
		"Recommend, for serverless work",
		"Check: without Check and Alive",
		"the limit shrinks to",
		"Stats.Recommend",
		"acquires in",
	}},
	{"pgx", privateDatabase, []string{
		"A private PostgreSQL server listens on",
		"800 of 800 queries succeeded, on",
		"account 1: 70\naccount 2: 30",
		"The server has closed",
		"800 of 800 queries succeeded after that",
		"suspected leak",
		"4 of 4 in use; longest held",
		"by main.(*app).countForgetfully (leak.go:",
		"idle, 0 in use",
		"Shut down: every lease has ended",
	}},
	{"pgbouncer", privateBouncer, []string{
		"A private PgBouncer in front of it listens on",
		"CoresSize(2, 0)            = 4",
		"sorry, too many clients already",
		"SHOW POOLS    at most ",
		"and on PostgreSQL, pg_stat_activity: [",
		"Two queries on one connection",
		"pool.go: the same query on 8 connections, 0 failed",
		"a query of 100 ms on another connection fails: ERROR: canceling statement due to statement timeout",
		"SET LOCAL, in a transaction: a query of 100 ms on another connection succeeds",
		"every instance had an answer again",
		"failed under way, 0 for want of a connection",
	}},
	{"redis", privateRedis, []string{
		"A private Redis server listens on",
		"2000 of 2000 commands succeeded, on",
		"50 callers waited for a letter, and 50 gave up.",
		"50 next callers: 50 got their own reply.\nReplies that went to the wrong caller: 0.",
		"The first of them: ",
		"the next caller's SET is answered with OK. Closed on return: 1 (redis: a MULTI without EXEC or DISCARD)",
		"Closed on return: 1 (redis: SUBSCRIBE has changed the connection)",
		"2000 of 2000 commands succeeded after that",
		"idle, 0 in use",
		"Shut down: every lease has ended",
	}},
}

func flags(args ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return args }
}

func leakFlags(t *testing.T) []string {
	return []string{"-threshold=50ms", "-profile=" + filepath.Join(t.TempDir(), "connpool.pprof")}
}

// privateDatabase skips the test where PostgreSQL is not installed.
func privateDatabase(t *testing.T) []string {
	t.Setenv("DATABASE_URL", "")
	pgtest.New(t, pgtest.Options{})
	return nil
}

// privateBouncer skips the test where PostgreSQL or PgBouncer is not installed.
func privateBouncer(t *testing.T) []string {
	t.Setenv("PGBOUNCER_URL", "")
	servertest.NewPgBouncer(t, pgtest.New(t, pgtest.Options{}).DSN(), servertest.PgBouncerOptions{})
	return nil
}

// privateRedis skips the test where Redis is not installed.
func privateRedis(t *testing.T) []string {
	t.Setenv("REDIS_URL", "")
	servertest.NewRedis(t)
	return nil
}

func TestProgramsDoWhatTheySay(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			cmd := command(t, build(t, p.name), p.args(t)...)
			var out, complaints bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaints
			require.NoError(t, cmd.Run(), "%s%s", &out, &complaints)
			for _, want := range p.want {
				require.Contains(t, printed(out.String()), want)
			}
			require.Empty(t, complaints.String())
		})
	}
}

// printed is what a program printed, with the line ends of this file.
func printed(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func TestTheLeakExampleWritesAProfileThatPprofReads(t *testing.T) {
	args := leakFlags(t)
	require.NoError(t, command(t, build(t, "leak"), args...).Run())
	_, file, _ := strings.Cut(args[1], "=")
	top, err := command(t, "go", "tool", "pprof", "-top", file).Output()
	require.NoError(t, err)
	require.Contains(t, string(top), "main.service.handleReport")
}

func TestCtrlCDrainsThePool(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C here")
	}
	cmd := command(t, build(t, "quickstart"), "-handshake=1ms", "-requests=0", "-budget=500ms")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out := bufio.NewReader(stdout)
	readUntil(t, out, "running with the pool")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))

	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.Contains(t, string(rest), "Interrupted: draining the pool")
	require.Contains(t, string(rest), "Drained: every lease has ended")
}

// readUntil reads lines until one contains text.
func readUntil(t *testing.T, lines *bufio.Reader, text string) {
	for {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "it never printed %q", text)
		if strings.Contains(line, text) {
			return
		}
	}
}

// build builds an example, with the race detector if this test has it.
func build(t *testing.T, name string) (executable string) {
	if testing.Short() {
		t.Skip("building and running a program takes seconds")
	}
	executable = filepath.Join(t.TempDir(), name+exe)
	args := append([]string{"build", "-o", executable}, raceFlags...)
	out, err := command(t, "go", append(args, "./"+name)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return executable
}

// exe is how the name of an executable has to end.
var exe = map[string]string{"windows": ".exe"}[runtime.GOOS]

// command returns a command that is killed when the test has taken far too long.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
