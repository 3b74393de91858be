// Package scenario puts pools in the situations that they are kept for, which
// take time, crowds or a server: a spike, a cold start, a dead server, a queue of
// tens of thousands, and a database.
//
// Each scenario is a function that runs one round with one rival, and returns what
// it has seen. Its settings have a constructor with the usual values, and smaller
// ones for a quick look.
//
// Dials and callers are counted here, in the functions that the pool is given and
// not by the pool, so that every rival is measured in the same way. What a pool
// closes cannot be seen from here: a connection that is open is one that has been
// opened.
package scenario
