package connpool_test

import (
	"fmt"
	"time"

	"github.com/connpool/connpool"
)

func ExampleRecommend() {
	r := connpool.Recommend(connpool.Workload{
		Kind:      connpool.Web,
		Rate:      100,
		Hold:      100 * time.Millisecond,
		ServerMax: 100,
		Reserved:  3,
		Instances: 4,
	})
	fmt.Println("MinSize", r.MinSize, "MaxSize", r.MaxSize, "Burst", r.Burst)
	for _, reason := range r.Reasons {
		fmt.Println("-", reason)
	}
	// Output:
	// MinSize 10 MaxSize 15 Burst 5
	// - 100 requests a second, each holding 1 connection for 100ms, keep 10 in use on average (Little's law).
	// - With 15 connections, 0.838 % of the requests wait longer than 50ms, within the 1 % allowed (Erlang C).
	// - The server takes 100 connections less 3 reserved, which is 19 for each of 4 instances and 1 more during a deployment.
	// - MinSize 10 is the usual need at the peak, so that usual requests never wait for a dial.
	// - The 5 above it are burst: opened for a peak, closed when they come back.
}

func ExampleDemandSize() {
	// 100 requests a second, each holding a connection for 100 ms, and half as
	// much again for the moments above the average.
	fmt.Println(connpool.DemandSize(100, 100*time.Millisecond, 1.5))
	// Output: 15
}

func ExampleQueueSize() {
	// 10 connections are in use on average. How many must there be so that at
	// most one request in a hundred waits longer than 50 ms?
	fmt.Println(connpool.QueueSize(100, 100*time.Millisecond, 50*time.Millisecond, 0.01))
	// And so that at most one in a hundred waits at all?
	fmt.Println(connpool.QueueSize(100, 100*time.Millisecond, 0, 0.01))
	// Output:
	// 15
	// 19
}

func ExampleUtilizationSizer() {
	sizer := connpool.UtilizationSizer{High: 0.8, Low: 0.3}
	sample := connpool.SizeSample{Limit: 10, Min: 2, Max: 50, InUse: 10, Waiting: 8}
	for range 3 {
		decision := sizer.Next(sample)
		fmt.Printf("%d %q\n", decision.Limit, decision.Reason)

		// The load stays the same; now nobody has to wait.
		sample.Limit, sample.InUse, sample.Waiting = decision.Limit, 18, 0
	}
	// Output:
	// 20 "180 % of 10 connections wanted, above 80 %: the limit grows to 20."
	// 33 "90 % of 20 connections wanted, above 80 %: the limit grows to 33."
	// 33 ""
}
