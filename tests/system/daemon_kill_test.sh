#!/usr/bin/env bash
# kill -9 of each daemon on one node: it is back, and the node serves again.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
leader=$(await_leader 1)
follower=$((leader % 3 + 1))
rfs 1 put "$SELF" /file
ok "a file goes in" $?

for n in "$leader" "$follower"; do
	for daemon in timesyncd raftd storaged; do
		before=$(child_pid "$n" "$daemon")
		kill_daemon "$n" "$daemon"
		back() {
			[ "$(child_pid "$n" "$daemon")" != "$before" ] &&
				child_pid "$n" "$daemon"
		}
		wait_until 10 back
		ok "n$n: $daemon is back after kill -9" $?
		serves() { rfs "$n" cat /file | cmp - "$SELF"; }
		wait_until 20 serves
		ok "n$n serves its files again" $?
		writes() { echo "$daemon" | rfs "$n" put - "/after-$n-$daemon"; }
		wait_until 20 writes
		ok "and takes writes" $?
	done
done

synced() { status_of "$1" | grep -q '"quality": *"SYNCED"'; }
for n in 1 2 3; do
	wait_until 20 synced "$n"
	ok "the clock of n$n is SYNCED in the end" $?
done
