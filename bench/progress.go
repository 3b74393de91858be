package main

import (
	"fmt"
	"os"
	"time"

	"github.com/connpool/connpool/bench/run"
)

// progress tells what is running: in place on a terminal, and elsewhere with a
// line for each work of a round.
type progress struct {
	out      *os.File
	terminal bool
	work     string
	round    int
}

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	return &progress{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, round: -1}
}

func (p *progress) show(s run.Step, left time.Duration) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%3d %%  %s left  round %d  %s: %s", 100*s.Index/s.Of, remaining(left), s.Round+1, s.Work.Name, s.Rival.Name)
		return
	}
	if s.Work.Name != p.work || s.Round != p.round {
		p.work, p.round = s.Work.Name, s.Round
		fmt.Fprintf(p.out, "%3d %%  %s left  round %d  %s\n", 100*s.Index/s.Of, remaining(left), s.Round+1, s.Work.Name)
	}
}

func (p *progress) done() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func remaining(left time.Duration) string {
	if left == 0 {
		return "?"
	}
	return left.Round(time.Second).String()
}
