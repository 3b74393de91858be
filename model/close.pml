/*
 * The close protocol: a pool that is closed while connections are dialled, lent,
 * returned and checked. See seams 6 to 9 and 14 in close.go, serve.go and dial.go.
 *
 * Steps are as in handoff.pml. A mark in a word makes the compare-and-swap of
 * whoever is at work on the slot fail; here that is one step which looks at the
 * mark as it moves the word. The table is guarded by mu.
 *
 * At the end nobody waits, every slot is empty and every connection that was
 * opened has been closed, once. Never are more open than there are slots.
 *
 * Mutants, each of which must fail: TEST_THEN_PUBLISH, WALK_THE_LIST, CLOSED_LAST,
 * JOIN_UNLOCKED, CLOSE_UNCLAIMED, MARK_IDLE_ONLY, and VACATE_FIRST with DIALS=2.
 */

#define SLOTS 2
#ifndef BORROWERS
#define BORROWERS 2
#endif
#ifndef DIALS
#define DIALS 1
#endif
#ifndef SWEEPS
#define SWEEPS 0
#endif
#define NONE 255
#define FAILED 254

mtype = { vacant, opening, idle, leased, checking, closing };
mtype state[SLOTS];
bool shut[SLOTS];   /* the mark */
bool listed[SLOTS];
byte inList[SLOTS];
bool open[SLOTS];   /* there is a connection in the slot: its Close has not returned */
byte opens, closes;
byte alive;         /* connections that are open at the server */

bool closed, qclosed, waitingBit, mu, lock;
chan queue = [BORROWERS] of { byte };
byte grant[BORROWERS];
byte gone;          /* processes that have ended */
byte dials = DIALS;

#define LOCK   atomic { !lock -> lock = true }
#define UNLOCK lock = false
#define MU     atomic { !mu -> mu = true }
#define UNMU   mu = false

/* Close the connection of a slot that the caller owns, then free the slot. */
inline shutdown(s) {
	state[s] = closing;
#ifdef VACATE_FIRST
	MU; d_step { state[s] = vacant; shut[s] = false }; UNMU;
	d_step { closes++; alive--; open[s] = false }
#else
	d_step { assert(open[s]); open[s] = false; closes++; alive-- };
	MU; d_step { state[s] = vacant; shut[s] = false }; UNMU
#endif
}

inline push(s) {
	d_step { inList[s]++; assert(inList[s] == 1) }
}

inline pop(s) {
	atomic {
		s = NONE;
		if
		:: inList[0] > 0 -> inList[0]--; s = 0
		:: inList[1] > 0 -> inList[1]--; s = 1
		:: else
		fi
	}
}

/* What becomes of a popped number (seat.claim): it is lent, closed or passed. */
inline claim(s, fate) {
	d_step {
		listed[s] = false;
		fate = vacant;
		if
		:: state[s] == idle && shut[s] -> state[s] = closing; fate = closing
		:: state[s] == idle && !shut[s] -> state[s] = leased; fate = leased
		:: else
		fi
	}
}

inline serve(s, fate, w) {
	do
	:: inList[0] + inList[1] == 0 -> break
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
		claim(s, fate);
		if
		:: fate == leased ->
			atomic { queue ? w; waitingBit = len(queue) > 0 };
			UNLOCK;
			grant[w] = s
		:: fate == closing -> UNLOCK; shutdown(s)
		:: else -> UNLOCK
		fi
	od;
	s = NONE; w = NONE; fate = vacant /* so that equal states look equal */
}

/* publish makes a slot that the caller owns idle, or closes it if it is marked:
 * the compare-and-swap decides. */
inline publish(s, marked, had, other, fate, w) {
#ifdef TEST_THEN_PUBLISH
	marked = closed;
	d_step {
#else
	d_step {
		marked = shut[s];
#endif
		had = listed[s];
		if
		:: !marked -> state[s] = idle; listed[s] = true
		:: else
		fi
	}
	if
	:: marked -> shutdown(s)
	:: else ->
		if
		:: !had -> push(s)
		:: else
		fi;
		if
		:: waitingBit -> serve(other, fate, w)
		:: else
		fi
	fi
}

/* The dial rule, and one dial: the server may refuse it. The pool dials on as
 * long as somebody may wait; that it knows when is not tried here. */
proctype Dialler() {
	byte s, other, w;
	mtype fate;
	bool marked, had;
	do
	:: dials == 0 || closed -> break
	:: dials > 0 && !closed && (state[0] == vacant || state[1] == vacant) ->
		MU;
		s = NONE;
		d_step {
			if
			:: closed
			:: !closed && state[0] == vacant -> s = 0
			:: !closed && state[0] != vacant && state[1] == vacant -> s = 1
			:: else
			fi;
			if
			:: s != NONE -> state[s] = opening; dials--
			:: else
			fi
		}
		UNMU;
		if
		:: s == NONE
		:: s != NONE -> /* it answers */
			d_step { open[s] = true; opens++; alive++; assert(alive <= SLOTS) }
			publish(s, marked, had, other, fate, w)
		:: s != NONE && dials > 0 -> /* it refuses */
			MU; d_step { state[s] = vacant; shut[s] = false }; UNMU
		fi
	od;
	gone++
}

proctype Borrower(byte me) {
	byte mine = NONE, s, w, other;
	mtype fate;
	bool marked, had, refused;

	if
	:: closed -> goto end
	:: waitingBit
	:: else ->
		do
		:: pop(s);
			if
			:: s == NONE -> break
			:: else ->
				claim(s, fate);
				if
				:: fate == leased -> mine = s; break
				:: fate == closing -> shutdown(s)
				:: else
				fi
			fi
		od
	fi;
	if
	:: mine != NONE
	:: else ->
#ifdef JOIN_UNLOCKED
		refused = qclosed;
		LOCK;
#else
		LOCK;
		refused = qclosed;
#endif
		if
		:: refused -> UNLOCK; goto end
		:: else -> atomic { queue ! me; waitingBit = true }; UNLOCK
		fi;
		serve(s, fate, w);
		grant[me] != NONE; /* here it sleeps */
		mine = grant[me]
	fi;
	if
	:: mine == FAILED
	:: else ->
		assert(open[mine] && state[mine] == leased);
		if
		:: publish(mine, marked, had, other, fate, w) /* Release */
		:: shutdown(mine)                             /* Discard */
		fi
	fi;
end:
	gone++
}

/* The sweep checks a slot where it lies. */
proctype Sweep() {
	byte s, other, w;
	mtype fate;
	bool marked, had;
	if
	:: atomic { state[0] == idle && !shut[0] -> state[0] = checking; s = 0 }
		publish(s, marked, had, other, fate, w)
	:: true
	fi;
	gone++
}

inline closeQueue(w) {
	LOCK;
	qclosed = true;
	do
	:: len(queue) > 0 -> atomic { queue ? w; waitingBit = len(queue) > 0; grant[w] = FAILED }
	:: else -> break
	od;
	UNLOCK
}

/* Mark the word whatever the slot is doing, and claim it if it is idle. */
inline doom(s, mine) {
	d_step {
		if
#ifdef MARK_IDLE_ONLY
		:: state[s] == idle -> shut[s] = true
#else
		:: state[s] != vacant -> shut[s] = true
#endif
		:: else
		fi
	}
#ifdef CLOSE_UNCLAIMED
	mine = state[s] == idle;
#else
	d_step {
		mine = false;
		if
		:: state[s] == idle -> state[s] = closing; mine = true
		:: else
		fi
	}
#endif
}

proctype Closer() {
	byte s, w;
	bool first, second;
	mtype fate;
	MU;
#ifndef CLOSED_LAST
	closed = true;
#endif
	closeQueue(w);
#ifdef WALK_THE_LIST
	UNMU;
	do
	:: pop(s);
		if
		:: s == NONE -> break
		:: else ->
			d_step {
				listed[s] = false;
				fate = state[s];
				if
				:: state[s] == idle -> state[s] = closing
				:: else
				fi
			}
			if
			:: fate == idle -> shutdown(s)
			:: else
			fi
		fi
	od;
#else
	doom(0, first);
	doom(1, second);
	UNMU;
#ifdef CLOSED_LAST
	closed = true;
#endif
	if
	:: first -> shutdown(0)
	:: else
	fi;
	if
	:: second -> shutdown(1)
	:: else
	fi;
#endif
	gone++
}

proctype Monitor() {
	gone == BORROWERS + 2 + SWEEPS; /* and the Dialler, the Closer and the Sweep */
	assert(opens == closes && alive == 0);
	assert(len(queue) == 0 && !waitingBit);
	assert(state[0] == vacant && state[1] == vacant)
}

init {
	byte i;
	atomic {
		state[0] = idle; listed[0] = true; inList[0] = 1; open[0] = true; opens = 1; alive = 1;
		state[1] = vacant;
		for (i : 0 .. BORROWERS - 1) { grant[i] = NONE; run Borrower(i) }
		run Dialler();
#if SWEEPS
		run Sweep();
#endif
		run Closer();
		run Monitor()
	}
}
