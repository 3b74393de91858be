package waitq

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const crowd = 50_000

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAWaiterAndItsChannelTakeAtMostAKilobyte(t *testing.T) {
	q, _ := newQueue(0)
	waiters := make([]*Waiter, crowd)
	bytes := allocated(func() {
		for i := range waiters {
			waiters[i] = newWaiter(time.Duration(i))
			q.Join(waiters[i])
		}
	})
	require.Less(t, bytes/crowd, uint64(1024))
	require.Equal(t, crowd, q.Len())
}

func TestACrowdIsCancelledInAnyOrder(t *testing.T) {
	q, gate := newQueue(0)
	w := joined(t, q, crowd)
	rand.New(rand.NewPCG(1, 2)).Shuffle(crowd, func(i, j int) { w[i], w[j] = w[j], w[i] })
	bytes := allocated(func() {
		for _, w := range w {
			if !q.Leave(w) {
				t.Fatal("not in the queue")
			}
		}
	})
	require.Less(t, bytes, uint64(crowd), "leaving allocates nothing")
	require.Zero(t, q.Len())
	require.Zero(t, gate.Load())
}

// What a wait costs, without the goroutine that sleeps in it. AMD EPYC, 2 cores,
// go1.26.8, medians of five runs of go test -bench . -cpu 1,2:
//
//	                     -cpu 1          -cpu 2          allocs/op
//	JoinMatchWake        119 ns          120 ns          2 (224 B)
//	Crowd, a waiter      207 ns          340 ns          2 (224 B)
//	Leave, one of 50     17 ns           18 ns           0
//	Leave, of 50,000     17 ns           16 ns           0
//	Expire past 50,000   158 us          158 us          0
//
// Of the 224 bytes a waiter has 112 and its channel the same. Expire walks past
// those without a limit, under the lock, so it is meant for queues where most
// have one.
func BenchmarkJoinMatchWake(b *testing.B) {
	q, _ := newQueue(0)
	b.ReportAllocs()
	for b.Loop() {
		w := newWaiter(0)
		q.Join(w)
		q.Match(anything).Wake(Grant{})
		<-w.Ready()
	}
}

// BenchmarkCrowd has 50,000 join and all of them cancelled, in random order.
func BenchmarkCrowd(b *testing.B) {
	waiters := make([]*Waiter, crowd)
	order := rand.New(rand.NewPCG(1, 2)).Perm(crowd)
	var bytes uint64
	for b.Loop() {
		q, _ := newQueue(0)
		bytes += allocated(func() {
			for i := range waiters {
				waiters[i] = newWaiter(0)
				q.Join(waiters[i])
			}
		})
		for _, i := range order {
			q.Leave(waiters[i])
		}
	}
	b.ReportMetric(float64(bytes)/crowd/float64(b.N), "bytes/waiter")
	b.ReportMetric(float64(b.Elapsed())/crowd/float64(b.N), "ns/waiter")
}

// BenchmarkLeave takes one of many out of the queue and puts it back at the end.
func BenchmarkLeave(b *testing.B) {
	for _, n := range []int{50, crowd} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q, _ := newQueue(0)
			w := joined(b, q, n)
			middle := w[n/2]
			for b.Loop() {
				q.Leave(middle)
				middle.ticket = 0
				q.Join(middle)
			}
		})
	}
}

// BenchmarkExpire looks for whose time has come, past a crowd with no limit.
func BenchmarkExpire(b *testing.B) {
	q, _ := newQueue(0)
	joined(b, q, crowd)
	until(q, time.Hour)
	for b.Loop() {
		q.Expire(time.Minute, errTest)
	}
}
