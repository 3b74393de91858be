/*
 * The hand-off: how a connection that is returned and a caller that waits find
 * each other. See doc.go, and seams 1 to 5 in serve.go, borrow.go and lease.go.
 *
 * Each step here is one step there that others can come before or after: a load
 * or compare-and-swap of a slot's word, a push or pop of a number (internal/idle
 * is linearizable), a load of the gate. What happens under the queue's lock is
 * steps of its own with the lock held. A loop around a compare-and-swap is the
 * one round in which it succeeds. Words have no turn: no lease ends twice here.
 *
 * A lost wake-up is an invalid end state: somebody waits and nobody is left to
 * wake him. Only the first borrower may give up waiting, as otherwise everybody
 * always could. All else is asserted.
 *
 * Mutants, each of which must fail: NO_SERVE_AFTER_JOIN, LOOK_BEFORE_PUSH,
 * NO_LOOK, CANCEL_DROPS, PUSH_TWICE, KEEP_LISTED, GRANT_UNCLAIMED,
 * BIT_OUTSIDE_LOCK.
 */

#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef BORROWERS
#define BORROWERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define NONE 255

/* A slot's word: leased or idle, and whether its number is in the list. */
bool leased[SLOTS];
bool listed[SLOTS];

/* The list of idle numbers, which only hints: how often each number is in it. */
byte inList[SLOTS];

/* The queue: first come, first served. The bit mirrors whether it is empty. */
chan queue = [BORROWERS] of { byte };
bool waitingBit;
bool lock;

/* Who waits, and what he has been granted. */
byte grant[BORROWERS];
byte owners[SLOTS];
byte done;

#define LOCK   atomic { !lock -> lock = true }
#define UNLOCK lock = false

inline own(s) {
	owners[s]++;
	assert(owners[s] == 1)
}

/* Pop any number: which one, the cells and the scheduler decide. */
inline pop(s) {
	atomic {
		s = NONE;
		if
		:: inList[0] > 0 -> inList[0]--; s = 0
#if SLOTS > 1
		:: inList[1] > 0 -> inList[1]--; s = 1
#endif
		:: else
		fi
	}
}

/* What becomes of a popped number is decided by its word (seat.claim). */
inline claim(s, ok) {
	d_step {
		ok = false;
		if
		:: !leased[s] -> leased[s] = true; listed[s] = false; ok = true
#ifdef GRANT_UNCLAIMED
		:: else -> ok = true
#elif defined(KEEP_LISTED)
		:: else
#else
		:: else -> listed[s] = false
#endif
		fi
	}
}

/* serve, once around for each pair of a number and a waiter (Pool.serve). */
inline serve(s, ok, w) {
	do
	:: inList[0] == 0 &&
#if SLOTS > 1
	   inList[1] == 0 &&
#endif
	   true -> break
	:: else ->
		LOCK;
		if
		:: len(queue) == 0 -> UNLOCK; break
		:: else
		fi;
		pop(s);
		if
		:: s == NONE -> UNLOCK; break
		:: else
		fi;
		claim(s, ok);
		if
		:: !ok -> UNLOCK
		:: else ->
			atomic {
				queue ? w;
#ifndef BIT_OUTSIDE_LOCK
				waitingBit = len(queue) > 0
#endif
			}
			UNLOCK;
#ifdef BIT_OUTSIDE_LOCK
			if
			:: len(queue) == 0 -> waitingBit = false
			:: else
			fi;
#endif
			own(s);
			grant[w] = s /* Wake */
		fi
	od
}

/* The gate, after every push (Pool.look). */
inline look(s, ok, w) {
	if
	:: waitingBit -> serve(s, ok, w)
	:: else
	fi
}

/* The end of a lease: by the word, then the push, then the look. */
inline release(mine, push, s, ok, w) {
	owners[mine]--;
#ifdef LOOK_BEFORE_PUSH
	look(s, ok, w);
	skip;
#endif
	d_step {
		leased[mine] = false;
		push = !listed[mine];
#ifdef PUSH_TWICE
		push = true;
#endif
		listed[mine] = true
	}
	if
	:: push -> d_step { inList[mine]++; assert(inList[mine] == 1) }
	:: else
	fi;
#if !defined(LOOK_BEFORE_PUSH) && !defined(NO_LOOK)
	look(s, ok, w)
#else
	skip
#endif
}

proctype Borrower(byte me) {
	byte mine, round, s, w;
	bool ok, push, had;
	do
	:: round == ROUNDS -> break
	:: else ->
		round++;
		had = false;
		mine = NONE;
		if
		:: waitingBit
		:: !waitingBit -> /* nobody is ahead */
			if
			:: atomic { inList[0] > 0 && !leased[0] && listed[0] -> leased[0] = true; mine = 0 } /* lent where it lies */
			:: true ->
				do
				:: mine != NONE -> break
				:: else ->
					pop(s);
					if
					:: s == NONE -> break
					:: else -> claim(s, ok); if :: ok -> mine = s :: else fi
					fi
				od
			fi;
			if
			:: mine != NONE -> own(mine); had = true
			:: else
			fi
		fi;
		if
		:: had
		:: else -> /* join, then serve, then sleep */
			LOCK;
			grant[me] = NONE;
			atomic { queue ! me; waitingBit = true };
			UNLOCK;
#ifndef NO_SERVE_AFTER_JOIN
			serve(s, ok, w);
#endif
			if
			:: grant[me] != NONE -> mine = grant[me]; had = true
			:: me == 0 -> /* its context ends */
				LOCK;
				if
				:: queue ?? [eval(me)] ->
					atomic { queue ?? eval(me); waitingBit = len(queue) > 0 };
					UNLOCK
				:: else -> /* granted already: take it, and give it back */
					UNLOCK;
#ifndef CANCEL_DROPS
					grant[me] != NONE;
					mine = grant[me];
					had = true
#endif
				fi
			fi
		fi;
		if
		:: had -> release(mine, push, s, ok, w)
		:: else
		fi;
		skip; /* no jump leads into a d_step */
		d_step { mine = NONE; s = NONE; w = NONE; ok = false; push = false } /* so that equal states look equal */
	od;
	done++
}

/* When all have gone, every slot can be lent again, and is listed once. */
proctype Monitor() {
	done == BORROWERS;
	assert(len(queue) == 0 && !waitingBit && !lock);
	byte i;
	for (i : 0 .. SLOTS - 1) {
		assert(owners[i] == 0 && !leased[i] && listed[i] && inList[i] == 1)
	}
}

init {
	byte i;
	atomic {
		for (i : 0 .. SLOTS - 1) { listed[i] = true; inList[i] = 1 }
		for (i : 0 .. BORROWERS - 1) { grant[i] = NONE; run Borrower(i) }
		run Monitor()
	}
}
