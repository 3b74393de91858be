// Package pool puts four pools behind one small interface, so that one scenario
// can be run against all of them: this one (Ours), puddle v2, pgxpool v5 and
// database/sql.
//
// They lend Conns. Those of Ours, puddle and database/sql are connections to
// nothing; those of pgxpool are sessions of a real PostgreSQL server, for it
// lends nothing else, with a Conn attached to each. What a factory does wrong is
// done in pgxpool's BeforeConnect, the nearest thing that it has.
//
// An adapter adds nothing and hides nothing: what a pool panics with or returns
// is what the scenario gets.
package pool
