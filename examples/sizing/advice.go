package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/connpool/connpool"
)

// deploymentSurge is how many instances more than usual run while a new version
// is rolled out.
const deploymentSurge = 1

// printFormulas prints what each formula makes of the service.
func printFormulas(out io.Writer, s connpool.Workload) error {
	headline(out, fmt.Sprintf("%d instances, each with %v requests a second that hold a connection for %v", s.Instances, s.Rate, s.Hold))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(size int, formula, meaning string) { fmt.Fprintf(w, "%s\t%4d\t  %s\n", formula, size, meaning) }
	row(connpool.DemandSize(s.Rate, s.Hold, 1), "DemandSize, headroom 1", "are in use on average")
	row(connpool.DemandSize(s.Rate, s.Hold, 1.5), "DemandSize, headroom 1.5", "and half as many again")
	row(connpool.QueueSize(s.Rate, s.Hold, s.MaxWait, s.WaitRisk), "QueueSize",
		fmt.Sprintf("so that at most %v %% wait longer than %v", 100*s.WaitRisk, s.MaxWait))
	row(connpool.DeadlockFloor(s.Callers, s.ConnsPerRequest), "DeadlockFloor",
		fmt.Sprintf("so that %d callers, who take %d each, cannot lock each other out", s.Callers, s.ConnsPerRequest))
	row(connpool.FleetSize(s.ServerMax, s.Reserved, s.Instances, deploymentSurge), "FleetSize",
		fmt.Sprintf("for each instance, during a deployment too, of the server's %d", s.ServerMax))
	row(connpool.CoresSize(s.ServerCores, s.ServerSpindles), "CoresSize",
		fmt.Sprintf("for all instances together: more do not make %d cores faster", s.ServerCores))
	return w.Flush()
}

// printRecommendations prints what Recommend says for each kind of work.
func printRecommendations(out io.Writer, s connpool.Workload) {
	for s.Kind = connpool.Web; s.Kind <= connpool.Serverless; s.Kind++ {
		headline(out, fmt.Sprintf("Recommend, for %v work", s.Kind))
		printRecommendation(out, connpool.Recommend(s))
	}
}

func printRecommendation(out io.Writer, r connpool.Recommendation) {
	fmt.Fprintf(out, "MinSize %d, MaxSize %d, of which %d for bursts\n", r.MinSize, r.MaxSize, r.Burst)
	for _, reason := range r.Reasons {
		fmt.Fprintln(out, "  -", reason)
	}
}

// printLint has a configuration looked over that takes the recommendation, and
// little else.
func printLint(out io.Writer, s connpool.Workload) {
	headline(out, "Config.Lint, of a configuration with these sizes and little else")
	r := connpool.Recommend(s)
	cfg := connpool.Config[*session]{
		Connect: connect,
		MinSize: r.MinSize,
		MaxSize: r.MaxSize,
		MaxIdle: r.MaxSize - r.Burst,
	}
	for _, advice := range cfg.Lint() {
		fmt.Fprintf(out, "%s: %s; %s\n", advice.Field, advice.Problem, advice.Fix)
	}
}

// session stands for a connection.
type session struct{}

func connect(context.Context) (*session, error) { return &session{}, nil }
