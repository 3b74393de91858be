//go:build explore

package explore

import (
	"fmt"
	"strconv"
	"strings"
)

// search goes through a tree of schedules, depth first. A branch is a step where
// there was more than one option; the first option is always to let the thread
// that runs go on, so a schedule is told by the steps where another was taken.
type search struct {
	path   []branch
	at     int  // branches of path that the schedule under way has passed
	replay bool // path is a given schedule
}

type branch struct{ step, taken, options int }

// pick returns the option to take at a step.
func (s *search) pick(step, options int) (int, error) {
	if s.replay {
		return s.given(step, options)
	}
	if options == 1 {
		return 0, nil
	}
	if s.at == len(s.path) {
		s.path = append(s.path, branch{step, 0, options})
	}
	b := s.path[s.at]
	if s.at++; b.step != step || b.options != options {
		return 0, fmt.Errorf("the scenario is not the same each time: %d options at step %d, and %d at %d before", options, step, b.options, b.step)
	}
	return b.taken, nil
}

// followed reports whether the schedule went as far as it was laid out.
func (s *search) followed() bool { return s.at == len(s.path) }

// advance turns to the next schedule, and reports whether there is one.
func (s *search) advance() bool {
	for s.at = 0; len(s.path) > 0; s.path = s.path[:len(s.path)-1] {
		if last := &s.path[len(s.path)-1]; last.taken+1 < last.options {
			last.taken++
			return true
		}
	}
	return false
}

// String returns the schedule as step:option, for steps where the first option
// was not taken.
func (s *search) String() string {
	var out []string
	for _, b := range s.path[:s.at] {
		if b.taken > 0 {
			out = append(out, fmt.Sprintf("%d:%d", b.step, b.taken))
		}
	}
	if len(out) == 0 {
		return straight
	}
	return strings.Join(out, ",")
}

// straight is the schedule in which each thread goes on for as long as it can.
const straight = "straight"

// parse returns the search of one schedule, as String writes it.
func parse(schedule string) (*search, error) {
	s := &search{replay: true}
	if schedule == straight {
		return s, nil
	}
	for _, item := range strings.Split(schedule, ",") {
		step, option, ok := strings.Cut(item, ":")
		at, err1 := strconv.Atoi(step)
		taken, err2 := strconv.Atoi(option)
		if !ok || err1 != nil || err2 != nil || at < 0 || taken < 1 {
			return nil, fmt.Errorf("not a schedule: %q in %q", item, schedule)
		}
		s.path = append(s.path, branch{step: at, taken: taken})
	}
	return s, nil
}

func (s *search) given(step, options int) (int, error) {
	if s.at == len(s.path) || s.path[s.at].step != step {
		return 0, nil
	}
	b := s.path[s.at]
	if s.at++; b.taken >= options {
		return 0, fmt.Errorf("not a schedule of this scenario: option %d of %d at step %d", b.taken, options, step)
	}
	return b.taken, nil
}
