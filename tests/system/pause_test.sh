#!/usr/bin/env bash
# What stops without dying: the leader's raftd, its whole node, its storaged.
# The others go on meanwhile, and nothing acknowledged is lost.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
load 12

writes() { # N: through that node, briefly
	echo "$SECONDS" | timeout 3 "$B/raftfs" -s "$W/n$1/run/files.sock" \
		put - "/during$1"
}
for what in raftd ""; do
	sleep 1
	wait_until 10 leader_by 1
	old=$(await_leader 1)
	other=$((old % 3 + 1))
	# shellcheck disable=SC2086 # nothing: the whole node
	pause "$old" $what
	ok "${what:-the whole node} of the leader, n$old, stands still" $?
	wait_until 3 writes "$other"
	ok "the others go on" $?
	sleep 1
	resume "$old"
	wait_until 15 writes "$old"
	ok "and n$old is back" $?
done

# Nobody resumes these but the supervisor's watchdog: it aborts and then kills.
replaced() {
	local after
	after=$(child_pid "$old" "$1") && [ "$after" != "$before" ]
}
for what in storaged raftd; do
	wait_until 10 leader_by 1
	old=$(await_leader 1)
	before=$(child_pid "$old" $what)
	pause "$old" $what
	wait_until 20 replaced $what
	ok "a $what of the leader that hangs for good is replaced" $?
	wait_until 15 writes "$old"
	ok "and n$old serves" $?
done
prove_load
ok "nothing acknowledged is lost, on any node" $?
