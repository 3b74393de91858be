package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// scenario is one bad moment of a server's.
type scenario struct {
	name, title string

	calm, lasts, after time.Duration // before the fault, of it, and after it
	brief, patient     span          // deadlines of the few callers, and of the many

	away    bool          // nothing is served while the fault lasts
	mayCut  bool          // queries that are under way when it begins are lost
	renewed bool          // it ends with a Retire (pgxpool: Reset)
	allowed time.Duration // from the end of the fault to the first success

	stage   func(context.Context) (*stage, error)
	strike  func(context.Context, *stage) error
	relieve func(context.Context, *stage) error
}

// span is a range of durations.
type span struct{ least, most time.Duration }

// inTime is what a first success after an outage may need beside the pause
// before its dial: the dial itself and the query, on a machine that has other
// things to do.
const inTime = 250 * time.Millisecond

// scenarios returns all of them: in full, or quick.
func scenarios(quick bool) []scenario {
	all := []scenario{crash(), absence(), failover(), hole(), slowness()}
	for i := range all {
		s := &all[i]
		if quick {
			s.hurry()
		}
		s.patient = span{s.lasts + 5*time.Second, s.lasts + 10*time.Second}
		s.brief = span{200 * time.Millisecond, max(300*time.Millisecond, s.lasts/2)}
		s.allowed = backoffMax + inTime
	}
	return all
}

// hurry makes a quick one of it. Its outage must stay longer than what a query
// and a dial may take.
func (s *scenario) hurry() {
	s.calm, s.after = time.Second, 2*time.Second
	s.lasts = min(s.lasts, 3*time.Second)
}

func crash() scenario {
	return scenario{
		name: "crash", title: "A server is killed (kill -9) and restarted at once",
		calm: 2 * time.Second, after: 3 * time.Second,
		away: true, mayCut: true,
		stage:   plainStage,
		strike:  func(_ context.Context, s *stage) error { return s.server.Kill() },
		relieve: func(ctx context.Context, s *stage) error { return s.server.Restart(ctx) },
	}
}

func absence() scenario {
	return scenario{
		name: "absence", title: "A server is shut down for a while",
		calm: 2 * time.Second, lasts: 10 * time.Second, after: 4 * time.Second,
		away: true, mayCut: true,
		stage:   plainStage,
		strike:  func(_ context.Context, s *stage) error { return s.server.Shutdown() },
		relieve: func(ctx context.Context, s *stage) error { return s.server.Restart(ctx) },
	}
}

func failover() scenario {
	return scenario{
		name: "failover", title: "An address becomes another server's, and the pool is told a second later",
		calm: 2 * time.Second, lasts: time.Second, after: 3 * time.Second,
		renewed: true,
		stage:   pairStage,
		strike:  func(_ context.Context, s *stage) error { s.points.set(s.other.Addr()); return nil },
		relieve: func(_ context.Context, s *stage) error { s.pool.renew(); return nil },
	}
}

func hole() scenario {
	return scenario{
		name: "hole", title: "A network swallows everything for a while",
		calm: 2 * time.Second, lasts: 6 * time.Second, after: 4 * time.Second,
		away: true, mayCut: true,
		stage:   proxiedStage,
		strike:  func(_ context.Context, s *stage) error { return s.proxy.Set(swallowing) },
		relieve: func(_ context.Context, s *stage) error { return s.proxy.Set(healthy) },
	}
}

func slowness() scenario {
	return scenario{
		name: "slowness", title: "A server answers 150 ms later for a while",
		calm: 2 * time.Second, lasts: 8 * time.Second, after: 4 * time.Second,
		stage:   proxiedStage,
		strike:  func(_ context.Context, s *stage) error { return s.proxy.Set(sluggish) },
		relieve: func(_ context.Context, s *stage) error { return s.proxy.Set(healthy) },
	}
}

// compare plays the scenario with both pools.
func (s scenario) compare(ctx context.Context, screen io.Writer) (outcome, error) {
	o := outcome{scenario: s}
	for i, open := range []func(string, *tape) (subject, error){openOurs, openTheirs} {
		fmt.Fprintf(screen, "%s: %s\n", s.name, [...]string{"this pool", "pgxpool"}[i])
		t, err := s.play(ctx, open)
		if err != nil {
			return o, err
		}
		o.tapes[i] = t
	}
	return o, nil
}

// play plays the scenario with one pool and returns the record.
func (s scenario) play(ctx context.Context, open func(string, *tape) (subject, error)) (_ *tape, err error) {
	st, err := s.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer st.clear(&err)
	t := newTape()
	if t.server, err = st.version(ctx); err != nil {
		return nil, err
	}
	if st.pool, err = open(st.dsn, t); err != nil {
		return nil, err
	}
	stopSampling := t.sample(st.pool)
	crowd := startCrowd(ctx, s, st.pool, t)
	err = s.act(ctx, st, t)
	crowd.finish()
	stopSampling()
	return t, err
}

// act lets the fault come and go.
func (s scenario) act(ctx context.Context, st *stage, t *tape) error {
	if err := pause(ctx, s.calm); err != nil {
		return err
	}
	t.strike()
	if err := s.strike(ctx, st); err != nil {
		return err
	}
	if err := pause(ctx, s.lasts); err != nil {
		return err
	}
	if err := s.relieve(ctx, st); err != nil {
		return err
	}
	t.ended = t.now()
	return pause(ctx, s.after)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
