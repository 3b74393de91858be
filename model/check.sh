#!/bin/sh
# Has spin look at every order of steps of the models, which must find nothing,
# and of their mutants, in each of which it must find a fault.
set -eu
cd "$(dirname "$0")"
for tool in spin gcc; do
	command -v "$tool" >/dev/null 2>&1 || { echo "$tool is missing: apt-get install spin gcc libc6-dev" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# explore MODEL [NAME=VALUE ...]: prints spin's verdict.
explore() {
	model=$PWD/$1.pml
	shift
	defines=
	for define in "$@"; do defines="$defines -D$define"; done
	# shellcheck disable=SC2086
	(cd "$work" && spin $defines -a "$model" && gcc -w -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000 -w24) >"$work/out" 2>&1 || true
	cat "$work/out"
}

fail=0
holds() {
	began=$(date +%s)
	out=$(explore "$@")
	states=$(echo "$out" | sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p')
	took=$(echo "$out" | sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds.*/\1/p')
	if echo "$out" | grep -q 'errors: 0' && ! echo "$out" | grep -q 'max search depth too small'; then
		printf 'holds   %-40s %10s states, %6s s (%s s with compiling)\n' "$*" "$states" "$took" "$(($(date +%s) - began))"
	else
		printf 'FAILS   %s\n%s\n' "$*" "$out"
		fail=1
	fi
}

breaks() {
	out=$(explore "$@")
	if echo "$out" | grep -q '^pan:1: \(assertion violated\|invalid end state\)'; then
		printf 'breaks  %-40s %s\n' "$*" "$(echo "$out" | sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' | head -1)"
	else
		printf 'MISSED  %s\n%s\n' "$*" "$out"
		fail=1
	fi
}

holds handoff
holds handoff SLOTS=2 BORROWERS=3 ROUNDS=1
for mutant in NO_SERVE_AFTER_JOIN LOOK_BEFORE_PUSH NO_LOOK CANCEL_DROPS PUSH_TWICE KEEP_LISTED GRANT_UNCLAIMED BIT_OUTSIDE_LOCK; do
	breaks handoff "$mutant"
done

holds close
holds close BORROWERS=1 SWEEPS=1 DIALS=2
for mutant in TEST_THEN_PUBLISH WALK_THE_LIST CLOSED_LAST JOIN_UNLOCKED CLOSE_UNCLAIMED MARK_IDLE_ONLY; do
	breaks close "$mutant"
done
breaks close VACATE_FIRST DIALS=2
exit $fail
