package callers

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportCreatesNoProfile(t *testing.T) {
	require.Nil(t, profileAtStart)
}

func TestProfileIsOneForTheProcess(t *testing.T) {
	require.Same(t, Profile(), Profile())
	require.Same(t, Profile(), pprof.Lookup("connpool"))
}

// written returns the profile as WriteTo prints it, unzipped.
func written(t *testing.T, debug int) string {
	var b bytes.Buffer
	require.NoError(t, Profile().WriteTo(&b, debug))
	if debug > 0 {
		return b.String()
	}
	z, err := gzip.NewReader(&b)
	require.NoError(t, err)
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(plain)
}

func TestProfileBlamesTheBorrower(t *testing.T) {
	var p pool[int]
	defer p.acquireListed().Remove()

	text := written(t, 1)
	require.Contains(t, text, "connpool profile: total 1\n")
	frames := strings.Split(text, "\n")[2:] // after the header and the counters
	require.Contains(t, frames[0], "callers.TestProfileBlamesTheBorrower+", text)
	require.NotContains(t, text, "acquireListed")

	require.Contains(t, written(t, 0), "callers.TestProfileBlamesTheBorrower")
	require.NotContains(t, written(t, 0), "acquireListed")
}

func TestProfileBlamesAPoolGoroutinesOutermostFrame(t *testing.T) {
	var p pool[int]
	done := make(chan *Entry)
	go p.background(done)
	defer (<-done).Remove()
	require.Contains(t, strings.Split(written(t, 1), "\n")[2], "callers.(*pool[...]).background+")
}

func TestRemoveTakesOneEntryOut(t *testing.T) {
	var p pool[int]
	first, second := p.acquireListed(), p.acquireListed()
	require.Equal(t, 2, Profile().Count())
	first.Remove()
	require.Equal(t, 1, Profile().Count())
	second.Remove()
	require.Zero(t, Profile().Count())
}

func TestRemoveOfNoEntryOrOneThatIsGoneDoesNothing(t *testing.T) {
	e := Add()
	(*Entry)(nil).Remove()
	new(Entry).Remove()
	require.Equal(t, 1, Profile().Count())
	e.Remove()
	e.Remove()
	require.Zero(t, Profile().Count())
}

func TestEntriesOfOneStackAreToldApart(t *testing.T) {
	var entries []*Entry
	for range 3 {
		entries = append(entries, Add())
	}
	require.Equal(t, 3, Profile().Count())
	for _, e := range entries {
		e.Remove()
	}
	require.Zero(t, Profile().Count())
}

func TestAddAndRemoveRace(t *testing.T) {
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			for range 200 {
				Add().Remove()
			}
		})
	}
	g.Wait()
	require.Zero(t, Profile().Count())
}

// unclaimed makes profile names that no run of these tests has used: profiles
// live as long as the process.
var unclaimed atomic.Int64

func newName(t *testing.T) string {
	return t.Name() + strings.Repeat("'", int(unclaimed.Add(1)))
}

func TestClaimTakesAForeignProfile(t *testing.T) {
	name := newName(t)
	foreign := pprof.NewProfile(name)
	require.Same(t, foreign, claim(name))
}

func TestClaimSurvivesLosingTheName(t *testing.T) {
	name := newName(t)
	foreign := pprof.NewProfile(name) // as if between claim's look and its call
	require.Same(t, foreign, create(name))
}

func TestClaimsAtOnceAgree(t *testing.T) {
	name := newName(t)
	var got [8]*pprof.Profile
	var g sync.WaitGroup
	for i := range got {
		g.Go(func() { got[i] = claim(name) })
	}
	g.Wait()
	for _, p := range got {
		require.Same(t, pprof.Lookup(name), p)
	}
}
