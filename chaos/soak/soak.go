package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// soak is one run.
type soak struct {
	order
	verdict  *verdict
	echo     *echoServer
	rigs     []*rig
	baseline baseline
}

func newSoak(o order) (*soak, error) {
	s := &soak{order: o, verdict: newVerdict()}
	var err error
	if s.echo, err = startEcho(); err != nil {
		return nil, err
	}
	if err := s.measureStart(); err != nil {
		return nil, err
	}
	s.rigs, err = newRigs(s.verdict, o.seed, s.echo.listener.Addr().String())
	return s, err
}

// run runs phases until the time is over or something is broken.
func (s *soak) run(ctx context.Context, p *progress) error {
	began := time.Now()
	for n := uint64(1); time.Since(began) < s.length && ctx.Err() == nil; n++ {
		length := min(s.phase, s.length-time.Since(began))
		if err := s.runPhase(ctx, n, length, p); err != nil {
			return fmt.Errorf("phase %d: %w", n, err)
		}
		if err := s.rest(); err != nil {
			return fmt.Errorf("at rest after phase %d: %w", n, err)
		}
		p.line(fmt.Sprintf("phase %d at %v: %s", n, time.Since(began).Round(time.Second), s.summary()))
	}
	return s.finish()
}

// runPhase puts the load on, and takes it off.
func (s *soak) runPhase(ctx context.Context, n uint64, length time.Duration, p *progress) error {
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	var load, late sync.WaitGroup
	s.start(ctx, n, &load, &late)
	ended := make(chan struct{})
	go func() {
		load.Wait()
		late.Wait()
		close(ended)
	}()
	return s.watch(ctx, ended, p)
}

// start starts everything that goes on at once. Who is known by which numbers
// settles its choices.
func (s *soak) start(ctx context.Context, phase uint64, load, late *sync.WaitGroup) {
	weights, think := s.weights(), thinking(diceFor(s.seed, phase, 0))
	for i := range s.workers {
		w := &worker{dice: diceFor(s.seed, phase, 1, uint64(i)), rigs: s.rigs, weights: weights, think: think, verdict: s.verdict, late: late}
		load.Go(func() { w.work(ctx) })
	}
	for i, r := range s.rigs {
		load.Go(func() { s.meddle(ctx, r, diceFor(s.seed, phase, 2, uint64(i))) })
	}
	for i := range 6 {
		load.Go(func() { s.burst(ctx, i, diceFor(s.seed, phase, 3, uint64(i))) })
	}
	load.Go(func() { s.mayfly(ctx, diceFor(s.seed, phase, 4)) })
	load.Go(func() { s.unsettle(ctx, diceFor(s.seed, phase, 5)) })
}

// thinking draws how long workers pause between two leases: a crowd that never
// does keeps every pool in its slow paths, and one that does for long in its fast
// ones.
func thinking(d dice) time.Duration {
	return [...]time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond}[d.IntN(4)]
}

// weights send more workers to pools that can take more: else most of them would
// be queueing for the slowest, whatever else there is.
func (s *soak) weights() (weights []int) {
	for _, r := range s.rigs {
		weight := 6 * min(r.cfg.MaxSize, 30)
		if r.source.addr != "" {
			weight /= 6
		}
		if !r.source.strict {
			weight /= 2
		}
		weights = append(weights, weight)
	}
	return weights
}

const (
	lookEvery = 200 * time.Millisecond
	// stuckLimit is how long callers may wait beside idle connections once the load
	// is off: such a caller has been forgotten.
	stuckLimit = 5 * time.Second
	// endLimit is how long the load may take to end.
	endLimit = 40 * time.Second
)

// watch waits until the load has ended, or something is broken.
func (s *soak) watch(ctx context.Context, ended <-chan struct{}, p *progress) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var off time.Time // when the load was told to end
	for {
		select {
		case err := <-s.verdict.found:
			return err
		case <-ended:
			return nil
		case <-ticker.C:
			p.tick(s.summary)
		}
		switch {
		case ctx.Err() == nil:
		case off.IsZero():
			off = time.Now()
		case time.Since(off) > endLimit:
			return fmt.Errorf("the load has not ended %v after it was told to", endLimit)
		default:
			if err := s.forgotten(); err != nil {
				return err
			}
		}
	}
}

// forgotten says which pool has had callers waiting beside idle connections for
// long, without a lease that was granted meanwhile.
func (s *soak) forgotten() error {
	for _, r := range s.rigs {
		stats := r.pool.Stats()
		stuck := stats.Waiting > 0 && stats.Idle > 0 && !stats.Paused
		if !stuck || stats.Acquires != r.stuck.acquires || r.stuck.since.IsZero() {
			r.stuck.acquires, r.stuck.since = stats.Acquires, time.Now()
		}
		if time.Since(r.stuck.since) > stuckLimit {
			return fmt.Errorf("%s: callers have been forgotten: %s", r.name, r.state())
		}
	}
	return nil
}

// summary says in half a line what has been going on.
func (s *soak) summary() string {
	var acquired, stale uint64
	var opened, open int64
	for _, r := range s.rigs {
		acquired += r.acquired.Load()
		stale += r.stale.Load()
		opened += r.source.opened.Load()
		open += r.source.slots.Load()
	}
	return fmt.Sprintf("%d leases, %d stale releases, %d connections opened, %d open; %s", acquired, stale, opened, open, measure())
}

// finish shuts all down and checks that nothing is left.
func (s *soak) finish() error {
	for _, r := range s.rigs {
		s.retireRig(r)
	}
	if err := s.echo.stop(); err != nil {
		return err
	}
	select {
	case err := <-s.verdict.found:
		return fmt.Errorf("at the end: %w", err)
	default:
		return nil
	}
}
