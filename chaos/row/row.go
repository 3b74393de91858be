package row

import (
	"cmp"
	"slices"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Row is one of them.
type Row struct {
	Number   int
	Name     string
	Injected string
	Required string
	Scenario func(*Trial)
	On       []pool.Kind // where it applies
	Drops    bool        // it has the kernel drop packets, where it gets a network namespace of its own
	Timed    bool        // it judges by wall time: a failure is tried once more, for a busy machine's sake
}

var (
	everywhere = pool.Kinds()
	onlyOurs   = []pool.Kind{pool.Ours}
	withSQL    = []pool.Kind{pool.Ours, pool.Pgxpool, pool.SQL} // where connections are sessions, or have hooks
	withPuddle = []pool.Kind{pool.Ours, pool.Puddle}
	sqlHandles = []pool.Kind{pool.Ours, pool.SQL} // sqlconn beside a plain handle
)

// All returns the rows in order.
func All() []Row {
	rows := slices.Concat(leaseRows(), queueRows(), dialRows(), panicRows(), hookRows(), closeRows(),
		sizeRows(), contractRows(), sessionRows(), outageRows(), networkRows(), buildRows(),
		failoverRows(), mysqlRows(), idleRows(), adapterRows())
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Number, b.Number) })
	return rows
}

// AppliesTo reports whether the row is run against a pool.
func (r Row) AppliesTo(k pool.Kind) bool { return slices.Contains(r.On, k) }
