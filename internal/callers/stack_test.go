package callers

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// profileAtStart is what importing this package left behind.
var profileAtStart *pprof.Profile

func TestMain(m *testing.M) {
	profileAtStart = pprof.Lookup("connpool")
	goleak.VerifyTestMain(m)
}

// here is the caller's line as Caller should print it, so that no test depends
// on where in its file it stands.
func here(function string) string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("callers.%s (stack_test.go:%d)", function, line)
}

type server struct{ pool pool[int] }

//go:noinline
func (s *server) handle() (got *Stack, want string) {
	return s.pool.acquire(), here("(*server).handle")
}

// inlined is small enough to vanish into its caller, and must not.
func inlined(p *pool[string]) *Stack { return p.acquire() }

func borrow[T any](p *pool[T]) (got *Stack, want string) { return p.acquire(), here("borrow[...]") }

func TestCallerIsTheFirstFrameOutsideThePool(t *testing.T) {
	var p pool[int]
	got, want := p.acquire(), here("TestCallerIsTheFirstFrameOutsideThePool")
	require.Equal(t, want, got.Caller())
}

func TestFault75_CallerNamesTheProgramAndTheHelperItWentThrough(t *testing.T) {
	var p pool[int]
	want := here("TestFault75_CallerNamesTheProgramAndTheHelperItWentThrough")
	require.NotPanics(t, p.borrow) // a library calls the pool
	got := p.stacks[0]
	line := func(s string, by int) string { // of want
		var n int
		before, after, _ := strings.Cut(s, "stack_test.go:")
		fmt.Sscan(strings.TrimSuffix(after, ")"), &n)
		return fmt.Sprintf("%sstack_test.go:%d)", before, n+by)
	}
	require.Regexp(t, "^"+regexp.QuoteMeta(line(want, 1))+` via assert\.didPanic\S* \(assertions.go:\d+\)$`, got.Caller())
	require.True(t, strings.HasPrefix(got.Text(), "github.com/stretchr/testify/assert.didPanic"), got.Text())
}

func TestFault75_LeasesOfOneLineAreGroupedWhateverTheyWentThrough(t *testing.T) {
	var p pool[int]
	type library = func(assert.TestingT, assert.PanicTestFunc, ...any) bool
	for _, through := range []library{assert.NotPanics, assert.Panics} {
		through(new(testing.T), p.borrow)
	}
	sites := Group([]Held{{p.stacks[0], 1}, {p.stacks[1], 2}})
	require.Len(t, sites, 1)
	require.Contains(t, sites[0].Caller, " via ")
	require.Contains(t, sites[0].Stack, "assert.Panics\n", "the way of the longest held")
}

func TestCallerNamesMethods(t *testing.T) {
	got, want := new(server).handle()
	require.Equal(t, want, got.Caller())
}

func TestCallerNamesClosures(t *testing.T) {
	var p pool[int]
	got, want := func() (*Stack, string) { return p.acquire(), here("TestCallerNamesClosures.func1") }()
	require.Equal(t, want, got.Caller())
}

func TestCallerPrintsGenericFunctionsWithoutTypeArguments(t *testing.T) {
	got, want := borrow(new(pool[map[string]any]))
	require.Equal(t, want, got.Caller())
}

func TestCallerSeesInlinedFunctions(t *testing.T) {
	require.Contains(t, inlined(new(pool[string])).Caller(), "callers.inlined (stack_test.go:")
}

func TestCallerOfABorrowInsideAnotherIsTheInnerOne(t *testing.T) {
	var p pool[int]
	var got *Stack
	p.do(func() { got = p.acquire() })
	require.Contains(t, got.Caller(), "TestCallerOfABorrowInsideAnotherIsTheInnerOne.func1 ")
}

func TestCallerDuringAPanicIsTheDeferredFunction(t *testing.T) {
	var p pool[int]
	var got *Stack
	func() {
		defer func() { _ = recover() }()
		defer func() { got = p.acquire() }()
		panic("on purpose")
	}()
	require.Contains(t, got.Caller(), "TestCallerDuringAPanicIsTheDeferredFunction.func1.2 ")
	require.NotContains(t, got.Text(), "runtime.")
}

func TestCallerOfAPoolGoroutineIsItsOutermostFrame(t *testing.T) {
	var p pool[int]
	done := make(chan *Entry)
	go p.background(done)
	(<-done).Remove()
	got := p.stacks[0]
	require.Contains(t, got.Caller(), "callers.(*pool[...]).background (pool.go:")
	require.Equal(t, 2, strings.Count(got.Text(), "\n")+1, "one frame:\n%s", got.Text())
}

func TestTextStartsAtTheCallerAndGoesOutwards(t *testing.T) {
	_, file, _, _ := runtime.Caller(0)
	got, _ := new(server).handle()
	lines := strings.Split(got.Text(), "\n")
	require.Equal(t, module+"/internal/callers.(*server).handle", lines[0])
	require.True(t, strings.HasPrefix(lines[1], "\t"+file+":"), lines[1])
	require.Equal(t, module+"/internal/callers.TestTextStartsAtTheCallerAndGoesOutwards", lines[2])
	require.Equal(t, "testing.tRunner", lines[4])
	require.Len(t, lines, 6, "nothing of the runtime below")
}

func TestStackKeepsTheInnermostFramesOfADeepStack(t *testing.T) {
	var p pool[int]
	var deep func(n int) *Stack
	deep = func(n int) *Stack {
		if n > 0 {
			return deep(n - 1)
		}
		return p.acquire()
	}
	got := deep(100)
	require.Contains(t, got.Caller(), "TestStackKeepsTheInnermostFramesOfADeepStack.func1 ")
	require.Equal(t, 2*(depth-2), strings.Count(got.Text(), "\n")+1, "all but acquire and lend")
}

func TestCaptureSkipsFrames(t *testing.T) {
	got, want := func() *Stack { return Capture(1) }(), here("TestCaptureSkipsFrames")
	require.Equal(t, want, got.Caller())
}

func TestStackWithoutFramesPrintsNothing(t *testing.T) {
	for name, s := range map[string]*Stack{"nil": nil, "zero": {}, "all skipped": Capture(1000)} {
		require.Empty(t, s.Caller(), name)
		require.Empty(t, s.Text(), name)
	}
}

func TestWhoBorrowsByTheSameWaySharesAStack(t *testing.T) {
	var p pool[int]
	var s [3]*Stack
	for i := range s {
		s[i] = p.acquire()
	}
	require.Same(t, s[0], s[1])
	require.Same(t, s[0], s[2])
	require.NotSame(t, s[0], p.acquire(), "another line")
}

func TestAStackThatIsPushedOutStaysWhatItIs(t *testing.T) {
	s, want := Capture(0), here("TestAStackThatIsPushedOutStaysWhatItIs")
	for i := range interned {
		interned[i].Store(new(Stack))
	}
	require.Equal(t, want, s.Caller())
	require.NotSame(t, s, Capture(0))
}

func TestCaptureOfAKnownStackAllocatesNothing(t *testing.T) {
	var s *Stack
	require.Zero(t, testing.AllocsPerRun(1000, func() { s = Capture(0) }))
	require.NotNil(t, s)
}
