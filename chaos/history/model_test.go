package history

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The two models ask two questions of one history. Is there an order of its
// operations, in agreement with what was over before what began, in which
//
//   - each connection is lent to one user at a time, and to none once it is
//     discarded (ownership), and
//   - no more than size are lent at a time (occupancy)?
//
// The first can be asked of each connection by itself, so the checker has short
// histories to order. The second cannot; its state is a mere number, so that most
// orders look alike to the checker.

// owner is the state of one connection.
type owner int

const (
	free owner = iota
	lent
	gone
)

func ownership() porcupine.Model {
	return porcupine.Model{
		Partition: byConn,
		Init:      func() any { return free },
		Step: func(state, input, _ any) (bool, any) {
			switch e := input.(event); {
			case e.kind == got && state == free:
				return true, lent
			case e.kind == ended && state == lent:
				return true, free
			case e.kind == lost && state == lent:
				return true, gone
			}
			return false, state
		},
		DescribeOperation: describe,
	}
}

func byConn(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make(map[int64][]porcupine.Operation)
	for _, op := range history {
		id := op.Input.(event).conn
		parts[id] = append(parts[id], op)
	}
	all := make([][]porcupine.Operation, 0, len(parts))
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

func occupancy(size int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, _ any) (bool, any) {
			n := state.(int)
			if input.(event).kind == got {
				return n < size, n + 1
			}
			return n > 0, n - 1
		},
		DescribeOperation: describe,
	}
}

func describe(input, _ any) string {
	e := input.(event)
	return fmt.Sprintf("%s %d", [...]string{"got", "ended", "lost"}[e.kind], e.conn)
}
