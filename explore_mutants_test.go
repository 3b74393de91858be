//go:build explore

package connpool

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutant is the pool's own source with one step of a protocol left out or done in
// the wrong order. It is built from an overlay, so that the source itself knows
// of no mutants.
type mutant struct {
	name  string
	file  string
	edits []edit
	found string // by the scenario of this test, in the folder of the file
}

// edit replaces text wherever it is in the file.
type edit struct{ old, new string }

// The explorer must find each of these. How many schedules that takes is logged.
var mutants = []mutant{
	// Waiting and releasing.
	{"no second look after the join", "borrow.go", []edit{{"\tp.serve()\n\tif c.Limited", "\tif c.Limited"}}, "TestExplore01_WhoJoins"},
	{"the gate is loaded before the push", "lease.go", []edit{
		{"\t\tif !l.word.Has(slot.Listed) {\n\t\t\tp.idle.Push", "\t\tgate := p.gate.Load()\n\t\tif !l.word.Has(slot.Listed) {\n\t\t\tp.idle.Push"},
		{"if p.gate.Load()&gateRelease != 0", "if gate&gateRelease != 0"},
	}, "TestExplore01_WhoJoins"},
	{"a release does not look at the gate", "lease.go", []edit{{"if p.gate.Load()&gateRelease != 0", "if false"}}, "TestExplore01_WhoJoins"},
	{"a cancel drops its grant", "borrow.go", []edit{{"\t\tb.pool.withdraw(grant)\n", ""}}, "TestExplore03"},
	{"a cancel is believed whatever the queue says", "internal/waitq/waitq.go", []edit{{"\tif !w.queued {\n\t\treturn false", "\tif !w.queued {\n\t\treturn true"}}, "TestExplore_AGrantReaches"},
	{"the head is found outside of the lock", "internal/waitq/waitq.go", []edit{
		{"\tq.mu.Lock()\n\tdefer q.mu.Unlock()\n\thead := q.mu.root.next\n\tif head == &q.mu.root || q.gate", "\thead := q.mu.root.next\n\tif head == &q.mu.root || q.gate"},
		{"\tq.unlinkLocked(head)\n\treturn head", "\tq.mu.Lock()\n\tdefer q.mu.Unlock()\n\tq.unlinkLocked(head)\n\treturn head"},
	}, "TestExplore_AGrantReaches"},
	{"the gate forgets who still waits", "internal/waitq/waitq.go", []edit{{"if q.length.Add(-1) == 0", "if q.length.Add(-1) >= 0"}}, "TestExplore_TheGateKnows"},

	// The listed bit, and the list.
	{"a head has no tag", "internal/idle/idle.go", []edit{{"head&^(tagOne-1)+tagOne|", "head&^(tagOne-1)|"}}, "TestExplore_AHeadThatGoes"},
	{"a cell is emptied without a compare-and-swap", "internal/idle/idle.go", []edit{{"if v := l.cells[i].n.Load(); v != 0 && l.cells[i].n.CompareAndSwap(v, 0) {", "if v := l.cells[i].n.Load(); v != 0 {\n\t\t\tl.cells[i].n.Store(0)"}}, "TestExplore_ACellIsTaken"},
	{"a cell is filled without a compare-and-swap", "internal/idle/idle.go", []edit{{"c.n.Load() == 0 && c.n.CompareAndSwap(0, n+1) {", "c.n.Load() == 0 {\n\t\t\tc.n.Store(n + 1)"}}, "TestExplore_ACellIsTaken"},
	{"a number is moved without being taken", "internal/idle/idle.go", []edit{{"if v := c.n.Swap(0); v != 0 {", "if v := c.n.Load(); v != 0 {\n\t\tc.n.Store(0)"}}, "TestExplore_WhatIsMoved"},
	{"a popper leaves the slot listed", "serve.go", []edit{{"next, fate := w.Without(list), passed", "next, fate := w, passed"}}, "TestExplore05_ASlotLent"},
	{"a borrower who pops leaves the slot listed", "pool.go", []edit{{"lent := w.Without(slot.Listed).Lend()", "lent := w.With(slot.Listed).Lend()"}}, "TestExplore05_ThreeBorrowers"},
	{"what was unlisted meanwhile is not put back", "serve.go", []edit{{"\tif !before.Has(slot.Listed) {\n\t\tp.idle.Push(s.n)\n\t}\n\tp.look()", "\tp.look()"}}, "TestExplore05_ASlotLent"},
	{"what is still listed is put back", "serve.go", []edit{{"\tif !before.Has(slot.Listed) {\n\t\tp.idle.Push(s.n)\n\t}\n\tp.look()", "\tp.idle.Push(s.n)\n\tp.look()"}}, "TestExplore05_ASlotChecked"},
	{"a release pushes what was lent where it lies", "lease.go", []edit{{"if !l.word.Has(slot.Listed) {", "if true {"}}, "TestExplore05_ASlotLent"},
	{"nobody looks after a number was moved", "sweep.go", []edit{{"\tp.idle.Settle()\n\tp.look()\n", "\tp.idle.Settle()\n"}}, "TestExplore05_WhoJoins"},
	{"a slot is claimed without a compare-and-swap", "close.go", []edit{{"if w.State() != slot.Idle || !s.word.CAS(w, w.To(to)) {\n\t\treturn false\n\t}", "if w.State() != slot.Idle {\n\t\treturn false\n\t}\n\ts.word.Store(w.To(to))"}}, "TestExplore05_ASlotClosed"},
	{"a slot is taken without a compare-and-swap", "serve.go", []edit{{"\t\tif s.word.CAS(w, next) {\n\t\t\tif offered", "\t\tif s.word.Store(next); true {\n\t\t\tif offered"}}, "TestExplore02"},

	// Slots that are due for a check, and the counts of what is on its way.
	{"who leaves a due slot to a check does not look again", "serve.go", []edit{{"case how == leaveThem && p.dueForWaiters() == checkFirst:", "case false:"}}, "TestFault83_ExploreNobodySleeps"},
	{"a check is counted before it is known for a suspect's", "health.go", []edit{{"\tp.suspects.Add(suspects) // before coming, as in arrived: in between the dial rule asks for more\n\tp.coming.Add(1)\n", "\tp.coming.Add(1)\n\tp.suspects.Add(suspects)\n"}}, "TestFault83_ExploreNobodyCounts"},
	{"nobody looks when a check has ended", "health.go", []edit{{"\tp.suspects.Add(-suspects)\n\tp.look()\n", "\tp.suspects.Add(-suspects)\n"}}, "TestFault83_ExploreNobodySleeps"},
	{"a check that has ended is counted on until somebody has looked", "health.go", []edit{{"\tp.coming.Add(-1)\n\tp.suspects.Add(-suspects)\n\tp.look()\n", "\tp.look()\n\tp.coming.Add(-1)\n\tp.suspects.Add(-suspects)\n"}}, "TestFault83_ExploreNobodySleeps"},
	{"what is proved aside stays there", "serve.go", []edit{{"\tif !before.Has(slot.Listed) {\n\t\tp.idle.Push(s.n)", "\tif !before.Has(slot.Listed | slot.Aside) {\n\t\tp.idle.Push(s.n)"}}, "TestFault90_ExploreWhatIsProved"},
	{"a number is put aside twice", "serve.go", []edit{{"if w.Has(slot.Aside) {", "if false {"}}, "TestFault90_ExploreANumber"},
	{"who takes what lies aside leaves the flag", "serve.go", []edit{{"s.claim(slot.Aside, stack, how)", "s.claim(slot.Listed, stack, how)"}}, "TestFault90_ExploreANumber"},

	{"one waiter makes room for all", "serve.go", []edit{{"surplus > int64(p.queue.Len()) || p.paused()", "p.queue.Len() == 0 || p.paused()"}, {"\tp.look()\n\tp.trim()", "\tp.look()"}}, "TestFault89_ExploreOneWaiter"},
	{"the idle are counted in two steps", "serve.go", []edit{{"if p.idleCount.CompareAndSwap(n, n+1) {", "if p.idleCount.Store(n + 1); true {"}}, "TestExplore_TheCountOfTheIdle"},
	{"nobody dials for what is lent", "borrow.go", []edit{{"if p.cfg.MinIdle > 0 {", "if false {"}}, "TestExplore_WhatIsLent"},
	{"a wait is served by a nil error", "errors.go", []edit{{"if err == nil {\n\t\terr = context.Canceled\n\t}", "if false {\n\t}"}}, "TestFault86_Explore"},
	{"nobody rings when a wait is over", "borrow.go", []edit{{"\tif c.Limited {\n\t\tp.expiry.By(c.Until)\n\t}\n", ""}}, "TestExplore03_AWaitEnds"},

	// Ends of a lease.
	{"a lease is ended without a compare-and-swap", "lease.go", []edit{{"if l.seat.word.CAS(w, w.End(to)) {", "if l.seat.word.Store(w.End(to)); true {"}}, "TestExplore14_AReleaseAnd"},
	{"a release ends its lease without a compare-and-swap", "lease.go", []edit{{"if p.plain && l.seat.word.CAS(l.word, l.word.Back()) {", "if p.plain && l.seat.word.Load() == l.word {\n\t\tl.seat.word.Store(l.word.Back())"}}, "TestExplore14_OneOfMany"},
	{"a lease looks at the word before the box", "lease.go", []edit{{"if conn := l.seat.conn.Load(); l.seat.word.Load().Same(l.word) {\n\t\t\treturn *conn", "if l.seat.word.Load().Same(l.word) {\n\t\t\treturn *l.seat.conn.Load()"}}, "TestExplore14_AStaleLease"},
	{"a mark is stored", "internal/slot/slot.go", []edit{{"\t\tif c.CAS(w, w|flags) {\n", "\t\tif c.Store(w | flags); true {\n"}}, "TestExplore_NoMark"},
	{"a cleared mark is stored", "internal/slot/slot.go", []edit{{"\t\tif c.CAS(w, w&^flags) {\n", "\t\tif c.Store(w &^ flags); true {\n"}}, "TestExplore_NoMark"},

	// Closing.
	{"close marks no words", "close.go", []edit{{"w := s.word.Mark(mark); s.claimIdle", "w := s.word.Load(); s.claimIdle"}}, "TestExplore07_WhatIsReturned"},
	{"what is published is tested first and stored then", "serve.go", []edit{{"\t\tif s.word.CAS(w, next) {\n\t\t\tp.list(s, w)", "\t\tif s.word.Store(next); true {\n\t\t\tp.list(s, w)"}}, "TestExplore09_ADial"},
	{"a join does not ask whether the queue is closed", "internal/waitq/waitq.go", []edit{{"case q.gate.Load()&Closed != 0:", "case false:"}}, "TestExplore_NobodySleeps"},
	{"a join asks outside of the lock", "internal/waitq/waitq.go", []edit{{"\tq.mu.Lock()\n\tdefer q.mu.Unlock()\n\tswitch {\n\tcase q.gate.Load()&Closed != 0:\n", "\tclosed := q.gate.Load()&Closed != 0\n\tq.mu.Lock()\n\tdefer q.mu.Unlock()\n\tswitch {\n\tcase closed:\n"}}, "TestExplore_NobodySleeps"},

	// Dialling, and the pool's own goroutines.
	{"a slot is freed before its connection is closed", "close.go", []edit{
		{"\tp.noteClosed(s, reason, cause)\n\tif p.cfg.Close == nil {", "\tp.noteClosed(s, reason, cause)\n\tif p.cfg.Close != nil {\n\t\tp.vacate(s)\n\t}\n\tif p.cfg.Close == nil {"},
		{"p.noteHungClose()\n\t\t\t}\n\t\t\tp.vacate(s)\n", "p.noteHungClose()\n\t\t\t}\n"},
	}, "TestExplore06_ASlotOpens"},
	{"who empties a slot does not say that there is room", "close.go", []edit{{"\tp.mu.free = append(p.mu.free, s.n)\n\tp.noteLocked()\n", "\tp.mu.free = append(p.mu.free, s.n)\n"}}, "TestExplore06_ASlotOpens"},
	{"who empties a slot looks for waiters before", "close.go", []edit{{"\tp.mu.Lock()\n\tp.vacateLocked(s)\n\tp.mu.Unlock()\n\tp.vacated()", "\twaiting := p.queue.Len()\n\tp.mu.Lock()\n\tp.vacateLocked(s)\n\tp.mu.Unlock()\n\tif waiting > 0 {\n\t\tp.vacated()\n\t}"}}, "TestExplore06_ASlotOpens"},
	{"the last task tells nobody that it has ended", "callback.go", []edit{{"if p.tasks.Add(-1) == 0 {", "if p.tasks.Add(-1) < 0 {"}}, "TestExplore07_Whoever"},
	{"nobody dials when the pause ends", "dial.go", []edit{{"if now < at {\n\t\tp.retry.By(at)", "if now < at {"}}, "TestExplore11_AFailedDial"},
	{"nobody dials for a slot that has become empty", "close.go", []edit{{"\tp.cfg.Budget.put(p)\n\tp.grow()\n", "\tp.cfg.Budget.put(p)\n"}}, "TestExplore11_AFailedDial"},
	{"an alarm that is set while it rings is forgotten", "internal/alarm/alarm.go", []edit{{"if !a.mu.stopped && a.mu.at != Never {", "if false {"}}, "TestExplore_ATime"},
	{"a panic in a dial is let through", "callback.go", []edit{{"p.outcome(c.name, err, recover())", "p.outcome(c.name, err, nil)"}}, "TestExplore12_ADialThatPanics"},
	{"a time-out and a return both end a dial", "callback.go", []edit{{"if !settled.CompareAndSwap(false, true) {\n\t\t\treturn false\n\t\t}", "if settled.Load() {\n\t\t\treturn false\n\t\t}\n\t\tsettled.Store(true)"}}, "TestExplore12_ADialThatReturns"},
	{"what an abandoned dial returns is left open", "callback.go", []edit{{"\t\t\tif c.late != nil {\n\t\t\t\tc.late(err)\n\t\t\t}\n", ""}}, "TestExplore12_ADialThatReturns"},
	{"a clean-up that comes late counts as a stale release", "leak.go", []edit{{"was, ok := l.tryEnd(slot.Closing)", "was, ok := l.end(slot.Closing)"}}, "TestExplore14_OfAReleaseAndACleanUp"},
	{"a pool that grows dials for nobody", "resize.go", []edit{{"\t\tp.shut(s, ClosedResized, nil)\n\t}\n\tp.grow()\n", "\t\tp.shut(s, ClosedResized, nil)\n\t}\n"}}, "TestExplore15_WhoJoins"},
	{"a Retire does not reach a dial", "close.go", []edit{{"w := s.word.Mark(mark); s.claimIdle", "w := s.word.Load(); s.claimIdle"}}, "TestExplore16_WhoWaits"},
	{"who only tries dials beside another dial", "dial.go", []edit{{"p.mu.connecting == 0 && !p.mu.closed", "!p.mu.closed"}}, "TestExplore18"},

	// Settled.
	{"what returns to the idle list tells nobody", "serve.go", []edit{{"\t\tp.announce()\n", ""}}, "TestExplore20_SettledHears"},
	{"Settled looks before it says that it waits", "settled.go", []edit{
		{"\tp.settling(1)\n\tdefer p.settling(-1)\n\tfor unsettled := p.unsettled(); ; {\n\t\tleft, changed := p.stillUnsettled(unsettled)", "\tunsettled := p.unsettled()\n\tleft, changed := p.stillUnsettled(unsettled)\n\tp.settling(1)\n\tdefer p.settling(-1)\n\tfor first := true; ; {\n\t\tif !first {\n\t\t\tleft, changed = p.stillUnsettled(unsettled)\n\t\t}\n\t\tfirst = false"},
	}, "TestExplore20_SettledHears"},
	{"a slot that becomes empty tells nobody", "close.go", []edit{{"\tp.noteLocked()\n\tp.announceLocked()\n", "\tp.noteLocked()\n"}}, "TestExplore20_SettledWaits"},
	{"nobody trims what was let in for a waiter", "serve.go", []edit{{"\tp.look()\n\tp.trim()", "\tp.look()"}}, "TestExplore22"},
	{"who leaves the queue leaves a connection behind", "borrow.go", []edit{{"\t\tb.pool.trim()\n", ""}}, "TestFault89_ExploreWhatAPausedWaiter"},

	// Outages.
	{"a full pool notices no outage", "dial.go", []edit{{" && p.mu.pace.Failing() == nil)", ")"}}, "TestExplore24_WhoWaitsOrJoins"},
	{"nobody looks when DownAfter is over", "dial.go", []edit{{"\tif at, ok := p.mu.pace.DownAt(); ok {\n\t\tp.retry.By(at)\n\t}\n", ""}}, "TestExplore24_WhoWaitsOrJoins"},
	{"who joins in an outage is told nothing", "dial.go", []edit{{"\tr := p.failLocked(now)\n\tp.mu.Unlock()\n\tp.noteOutage(r)\n}", "\tp.mu.Unlock()\n}"}}, "TestExplore24_WhoWaitsOrJoins"},
	{"nobody looks when DownAfter is over once more", "outage.go", []edit{{"\tp.mu.pace.Resumed(now)\n\tp.retry.By(now)\n", "\tp.mu.pace.Resumed(now)\n"}}, "TestExplore24_WhoWaitsIsToldWhenTheLastLease"},
	{"nobody looks when a lease has lasted for long", "outage.go", []edit{{"\t\tp.retry.By(until)\n", "\t\t_ = until\n"}}, "TestExplore24_WhoWaitsIsToldWhenTheLastLease"},
	{"a dial that succeeds ends no outage", "outage.go", []edit{{"\to.on = false\n", ""}}, "TestExplore24_ADialThatSucceeds"},

	// Budget.
	{"nobody looks at the Budget for what serve leaves", "serve.go", []edit{{"\tif !p.idle.Empty() || !p.due.Empty() {\n\t\tp.heed()\n\t}\n", ""}}, "TestFault84_Explore"},

	// Resize and Pause.
	{"a decision is followed whatever has become of the limit", "autosize.go", []edit{{"if p.mu.limit != sample.Limit || p.mu.maxSize != sample.Max {", "if false {"}}, "TestExplore15_ASizers"},
	{"every marked slot pays for a shrink", "resize.go", []edit{{"\tif p.mu.debt > 0 {\n\t\tp.mu.debt--\n\t\treturn true", "\tif true {\n\t\tp.mu.debt--\n\t\treturn true"}}, "TestExplore15_AShrinkIsPaid"},
	{"a shrink marks no words", "resize.go", []edit{{"s.word.Mark(slot.Surplus)", "s.word.Load()"}}, "TestExplore15_AShrinkIsPaid"},
	{"an idle slot is left with the mark of a shrink", "resize.go", []edit{{"if p.mu.debt > 0 && s.claimIdle(s.word.Mark(slot.Surplus), slot.Closing) {", "if s.word.Mark(slot.Surplus); false {"}}, "TestExplore15_NoMark"},
	{"a pause does not stop the serving", "internal/waitq/waitq.go", []edit{{"|| q.gate.Load()&Paused != 0 ||", "||"}}, "TestExplore_NothingIsGranted"},
	{"nobody is served when a pause ends", "resize.go", []edit{{"\tp.queue.Pause(false)\n\tp.serve()\n", "\tp.queue.Pause(false)\n"}}, "TestExplore17"},
}

// A change of the source that a mutant edits is told at once, without building it.
func TestExploreMutantsFollowTheSource(t *testing.T) {
	for _, m := range mutants {
		source, err := os.ReadFile(m.file)
		require.NoError(t, err)
		for _, e := range m.edits {
			assert.Contains(t, string(source), e.old, "%s: %s has changed", m.name, m.file)
		}
	}
}

func TestExploreFindsEveryMutant(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the pool once for each mutant")
	}
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			fault := m.explore(t)
			require.NotEmpty(t, fault, "the mutant survives")
			t.Log(fault)
		})
	}
}

var reported = regexp.MustCompile(`schedule \d+, preemptions \d+: .*`)

// explore builds the mutant, runs the test that is to find it, and returns what
// the explorer reports.
func (m mutant) explore(t *testing.T) (fault string) {
	t.Helper()
	dir, binary := filepath.Dir(m.file), filepath.Join(t.TempDir(), "mutant.test")
	build := exec.Command("go", "test", "-c", "-tags", "explore", "-ldflags", "-s -w", "-overlay", m.overlay(t), "-o", binary, "./"+dir)
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	test := exec.Command(binary, "-test.run", "^"+m.found, "-test.v", "-test.timeout", "2m")
	test.Dir = dir
	output, err = test.CombinedOutput()
	require.Contains(t, string(output), "=== RUN   "+m.found, "no such test")
	if fault = reported.FindString(string(output)); fault != "" {
		require.Error(t, err)
	}
	return fault
}

// overlay writes the mutant's source, and what has the go command read it instead
// of the pool's own. Of the root package's tests it leaves the explorer's only.
func (m mutant) overlay(t *testing.T) (name string) {
	t.Helper()
	root, err := os.Getwd()
	require.NoError(t, err)
	source, err := os.ReadFile(m.file)
	require.NoError(t, err)
	text := string(source)
	for _, e := range m.edits {
		require.Contains(t, text, e.old, "%s has changed: let the mutant follow", m.file)
		text = strings.ReplaceAll(text, e.old, e.new)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, "mutated.go")
	require.NoError(t, os.WriteFile(mutated, []byte(text), 0o600))

	replace := map[string]string{filepath.Join(root, m.file): mutated}
	others, err := filepath.Glob(filepath.Join(root, "*_test.go"))
	require.NoError(t, err)
	for _, other := range others {
		if base := filepath.Base(other); !strings.HasPrefix(base, "explore_") && base != "main_test.go" {
			replace[other] = "" // as if it were not there
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	name = filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, overlay, 0o600))
	return name
}

// A mutant that changes nothing is not found: what finds the others is not the
// way in which they are built.
func TestExploreFindsNothingInTheUnchangedPool(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the pool")
	}
	unchanged := mutant{"unchanged", "borrow.go", []edit{{"p.serve()", "p.serve()"}}, "TestExplore01_WhoJoins"}
	require.Empty(t, unchanged.explore(t), fmt.Sprintf("%+v", unchanged))
}
