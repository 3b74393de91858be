package connpooltest

import (
	"fmt"
	"strings"

	"github.com/connpool/connpool"
)

// fault is something that a Config does and should not: what, why the pool
// cares, and what to do. What is a format until of fills it in.
type fault struct{ what, why, fix string }

func (f fault) of(args ...any) fault { return fault{fmt.Sprintf(f.what, args...), f.why, f.fix} }

func (f fault) String() string {
	return fmt.Sprintf("connpooltest: %s\n\twhy it matters: %s\n\twhat to do: %s", f.what, f.why, f.fix)
}

// Of Connect.
var (
	configRefused = fault{
		"New refuses the Config: %s",
		"there is no pool to be had with it",
		"mend the fields that it names",
	}
	connectFailed = fault{
		"Connect failed: %s",
		"everything else here needs a connection",
		"run the test with a server that is up and lets the factory in",
	}
	connectNil = fault{
		"Connect returned a nil connection and no error",
		"the pool refuses it as a failed dial, and callers wait for the next",
		"return an error that says why there is no connection",
	}
	connectBoth = fault{
		"Connect returned a connection together with an error",
		"the pool looks at the error alone, so nobody ever closes that connection",
		"close it before you return the error, and return nil in its place",
	}
	diesOfContext = fault{
		"a connection works until the context of the Connect that opened it ends: then %s says %s",
		"the context of a dial ends when Connect returns, so every connection would be dead when it is lent",
		"give what lives as long as the connection a context of its own, which Close cancels " +
			"(exec.Command in place of exec.CommandContext, context.WithoutCancel for a stream)",
	}
	connectShared = fault{
		"two Connects returned the same connection",
		"the pool would lend one connection to two users at once, and close it under the hands of one",
		"open a new connection in each call; what is to be shared belongs outside the pool",
	}
)

// Of what runs with a context.
var (
	succeedsCancelled = fault{
		"%s succeeded though its context had been cancelled before it began: it does not look at its context",
		"the pool bounds it by its context; one that does not look outlasts its time-out, is abandoned, and its connection stays open as long as it likes",
		"hand the context to everything that waits, or set the connection's deadline from it, and return the context's error once it has ended",
	}
	outlivesContext = fault{
		"%s did not return within %v of its context's end (%s)",
		"the pool abandons it, counts it as hung, and dials no more once as many hang as it may open; Close cannot call it off either",
		"hand the context to everything that waits, or set the connection's deadline from it",
	}
)

// Of all callbacks.
var (
	hangs = fault{
		"%s did not return within %v",
		"the pool abandons what overstays its time-out, and what it calls inline holds up the caller itself",
		"bound everything in it that waits; if it needs longer by rights, raise its time-out in the Config",
	}
	panics = fault{
		"%s",
		"the pool survives it at the price of the connection, but what runs inline ends the caller",
		"return an error instead",
	}
	exits = fault{
		"%s called runtime.Goexit",
		"the pool survives it at the price of the connection, but what runs inline ends the caller's goroutine",
		"return an error instead; testing's FailNow and Fatal call Goexit, so keep them out of callbacks",
	}
	leavesGoroutines = fault{
		"%d goroutine(s) left behind by %s: in %s",
		"a pool opens and closes connections for as long as the process lives, so what each leaves behind adds up",
		"end them in Close, and on every way out of Connect that returns an error",
	}
)

// Of Close.
var (
	closeFailed = fault{
		"Close of a connection that works failed: %s",
		"the pool has nobody to tell and forgets the connection, which may still be open at the server",
		"close the connection whatever happens, and return an error only if something may be left open",
	}
	closeHurtsOthers = fault{
		"closing one connection, twice, broke another: %s says %s",
		"the pool closes connections one by one while others are in use",
		"give each connection a socket, session or handle of its own, and have its second Close do nothing",
	}
)

// Of Alive, Check, Clean, Prepare, Reset and IsBad.
var (
	refusesFresh = fault{
		"%s refuses a connection that works (%s): %s",
		"the pool would destroy every connection and dial for ever",
		"make it pass whatever Connect returns and a borrower returns in order",
	}
	unsureWithoutCheck = fault{
		"Alive answers ErrUnsure, and there is no Check to ask then",
		"the pool destroys what it cannot be sure of: every connection would be lent once",
		"set Check, or have Alive return nil where it sees nothing wrong",
	}
	passesClosed = fault{
		"%s passes a connection that has been closed",
		"borrowers would be lent dead connections, and the pool would not notice that a server has gone",
		"have it return an error for a connection that is closed or that its peer has closed; an Alive that cannot tell returns ErrUnsure",
	}
	resetSpoils = fault{
		"after Reset the connection is of no use: %s says %s",
		"the next borrower gets it just so",
		"make Reset return an error if it leaves the connection unusable; the pool then destroys it",
	}
	resetLeaves = fault{
		"Reset leaves something behind: Clean says %s",
		"the next borrower finds it, and the pool destroys the connection when that borrower returns it",
		"have Reset read every answer to what it sends and undo what it sets, or return an error if it cannot",
	}
	blindToBad = fault{
		"IsBad does not count connpool.ErrBadConn as bad",
		"work that reports a broken connection in the way the pool's documentation says would have it lent again",
		"return true for errors that match connpool.ErrBadConn",
	}
	blamesForOthers = fault{
		"IsBad counts the failure of another acquire as bad, if a timeout is why",
		"work that needs two pools would lose its connection of the one whenever the other is exhausted or its server is down",
		"return false for a *connpool.AcquireError before looking at what it wraps, or build on connpool.DefaultIsBad, which does",
	}
)

// printed returns an error's text as the pool prints it, without passwords: the
// logs of tests are read by many.
func printed(err error) string {
	const before = "cannot connect: "
	_, text, _ := strings.Cut((&connpool.AcquireError{Stage: connpool.StageConnect, Err: err}).Error(), before)
	return text
}
