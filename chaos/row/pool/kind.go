package pool

import "slices"

// Kind is a pool.
type Kind string

// The pools.
const (
	Ours    Kind = "connpool"
	Puddle  Kind = "puddle"
	Pgxpool Kind = "pgxpool"
	SQL     Kind = "database/sql"
)

// Kinds returns all pools, ours first.
func Kinds() []Kind { return []Kind{Ours, Puddle, Pgxpool, SQL} }

// Known reports whether there is such a pool.
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }
