package keyed

import (
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table and a map, told the same, say the same.
func TestTheTableAgreesWithAMap(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		table, twin := newTable[int, int](), map[int]*int{}
		for range 3000 {
			key := random.IntN(300)
			switch _, ok := twin[key]; {
			case !ok:
				value := random.Int()
				table.insert(key, &value)
				twin[key] = &value
			case random.IntN(3) > 0:
				table.remove(key)
				delete(twin, key)
			}
			require.Same(t, twin[key], table.load(key))
		}
		require.Equal(t, twin, maps.Collect(table.all()))
		require.Equal(t, len(twin), table.n)
		for key := range twin {
			table.remove(key)
		}
		require.Empty(t, maps.Collect(table.all()))
		require.Len(t, *table.buckets.Load(), fewestBuckets)
	}
}

// Readers never miss a key that stays, whatever becomes of the others.
func TestReadersSeeWhatStaysWhileOthersComeAndGo(t *testing.T) {
	table := newTable[int, int]()
	for key := range 50 {
		table.insert(key, &key)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for key := range 50 {
					if v := table.load(key); v == nil || *v != key {
						t.Errorf("key %d is missing", key)
						return
					}
				}
				if n := countBelow(table, 50); n != 50 {
					t.Errorf("%d of 50 were seen", n)
					return
				}
			}
		})
	}
	for range 100 {
		for key := 50; key < 500; key++ {
			table.insert(key, &key)
		}
		for key := 50; key < 500; key++ {
			table.remove(key)
		}
	}
	close(done)
	wg.Wait()
}

func countBelow(table *table[int, int], limit int) (n int) {
	for key := range table.all() {
		if key < limit {
			n++
		}
	}
	return n
}

func TestAnIterationMayStopHalfWay(t *testing.T) {
	table := newTable[string, int]()
	for _, key := range []string{"a", "b", "c"} {
		table.insert(key, new(int))
	}
	seen := 0
	for range table.all() {
		seen++
		break
	}
	require.Equal(t, 1, seen)
}
