// Command outage shows what callers notice of a server's bad moments through
// this pool and through pgxpool, side by side, and checks what this pool
// promises for them.
//
//	go run ./outage          # some three minutes; writes outage/*.svg and outage/RESULTS.md
//	go run ./outage -quick   # shorter outages, under a minute
//
// Sixty callers query a private PostgreSQL server through ten connections while
// it crashes and restarts, stays away, fails over to another server, is cut off
// by a network that swallows everything, or becomes slow. Every call has a
// deadline: most callers have the time to wait an outage out, some have not.
//
// Each pool gets the same load, on its own, one after the other. The exit status
// is 1 if this pool misses what is required of it; what pgxpool would have missed
// is in the table for comparison.
package main
