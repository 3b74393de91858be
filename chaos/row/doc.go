// Package row holds the things that a pool has to survive: the first fifty-two, and
// those of the later ones in which a server is involved. A Row says what is injected and what is required, and its Scenario does the one and
// measures the other, against this pool and against others.
//
// A scenario is the same for all pools that it applies to, and so is its verdict.
// It reports what it saw in either case. A pool may hang in it, lose a slot or
// take the process down; the first two a scenario notices itself, and for the
// third each run has a process of its own (see Cell).
package row
