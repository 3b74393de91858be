package history

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// patience is how long the checker may take over one history. It takes
// milliseconds; a history that it cannot judge in time fails the test.
const patience = 30 * time.Second

// judge asks both questions of a history.
func judge(size int, history []porcupine.Operation) (ownership_, occupancy_ porcupine.CheckResult) {
	return porcupine.CheckOperationsTimeout(ownership(), history, patience),
		porcupine.CheckOperationsTimeout(occupancy(size), history, patience)
}

// A history ends where nothing is lent, so the next is judged by itself: that
// keeps each short, and the checker fast.
const (
	clients = 8
	rounds  = 25
)

func histories(many int) int {
	if testing.Short() {
		return many / 10
	}
	return many
}

func TestNoConnectionHasTwoOwnersAndNoMoreAreLentThanMayBe(t *testing.T) {
	defer flipThreads()()
	for _, size := range []int{1, 2, 3, 5} {
		p := newReal(t, size)
		for range histories(400) {
			owners, most := judge(size, users(t, p, clients, rounds))
			if owners != porcupine.Ok || most != porcupine.Ok {
				t.Fatalf("with %d connections, ownership is %v and occupancy %v", size, owners, most)
			}
		}
	}
}

func TestASeededDoubleHandOutIsFound(t *testing.T) {
	for i := range 100 {
		p := &broken{size: 3, twice: 5}
		if owners, _ := judge(3, users(t, p, clients, rounds)); owners == porcupine.Illegal {
			t.Logf("found in history %d", i+1)
			return
		}
	}
	t.Fatal("a pool that lends connections twice has passed")
}

func TestASeededExcessIsFound(t *testing.T) {
	for i := range 100 {
		p := &broken{size: 3, oversize: true}
		if _, most := judge(3, users(t, p, clients, rounds)); most == porcupine.Illegal {
			t.Logf("found in history %d", i+1)
			return
		}
	}
	t.Fatal("a pool that lends more than it may has passed")
}
