// Package keyed keeps one connpool.Pool for each key (a host, a tenant, a
// database), all under one cap.
//
//	shards, err := keyed.New(keyed.Config[string, *pgx.Conn]{
//		MaxTotal:  100,
//		MaxPerKey: 10,
//		For: func(database string) (connpool.Config[*pgx.Conn], error) {
//			dsn, err := lookUp(database)
//			return connpool.Config[*pgx.Conn]{
//				Name:    "db " + database,
//				Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, dsn) },
//			}, err
//		},
//	})
//	defer shards.Close()
//
//	lease, err := shards.Acquire(ctx, "orders")
//
// # What it promises
//
//   - Never more than MaxTotal connections in all, nor more than MaxPerKey of one
//     key, those being opened and closed included.
//   - A hot key cannot starve the others. While connections are short they go
//     round to the keys that wait, in turn, and within a key to its callers in the
//     order they came. What lies idle with one key is closed to make room for
//     another. See connpool.Budget.
//   - Keys keep their faults to themselves: each has its own queue, its own
//     back-off and its own idea of whether its server is up. They share
//     MaxTotal, so what a key's dials hold of it while they hang is missing elsewhere.
//   - A pool is made when a key is first asked for, once however many ask, and
//     nothing is left of it after IdleKeyTimeout without a connection or a lease.
//     A caller that comes while it is removed gets a new one.
//   - An acquire on a known key costs a lookup and the acquire: no lock, no
//     allocation.
//
// # Inside
//
// The keys' pools stand in a table (table.go) that is read without a lock and
// written under the Pool's. A key that is not in the table is being made, at most
// once at a time (making.go): For runs on a goroutine of its own, outside every
// lock, while its callers wait for it or for the end of their contexts. There are
// 1,000 such goroutines at most, whatever For does.
//
// A sweep (sweep.go) removes what nobody uses. It pauses a pool, waits until
// nothing is open in it, takes it out of the table and closes it. Whoever comes in
// between wakes it, or finds it gone; and whoever finds his pool closed under him
// finds the table without it, and asks again. entry.go has the states.
//
// There is one lock, never held while user code runs, and no goroutine but those
// that run For.
package keyed
