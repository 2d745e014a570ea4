#!/usr/bin/env bash
# raft.lease is changed by reloads, node by node, while clients write and read:
# longer, off, on again. Every node says at once what is in force; what clients
# saw is linearizable. A file that differs changes nothing until its node leads.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

history=$B/tests/system/history
extra_conf='raft {
	lease = 50ms
}'
world 3

set_lease() { # value nodes...
	local n value=$1
	shift
	for n in "$@"; do
		sed -i "s/lease = .*/lease = $value/" "$W/n$n/raftfs.conf"
		kill -HUP "${supervisor_pid[$n]}"
	done
}
lease_time() { # N: its line of status
	rfs "$1" status raft | sed -n 's/^ *lease time *//p'
}
in_force() { # words nodes...: and their files say the same
	local n words=$1
	shift
	for n in "$@"; do
		lease_time "$n" | grep -q "^$words, by log entry [0-9]* of term [0-9]*\$" ||
			return 1
	done
}
rolling() { # value, words
	local n
	for n in 1 2 3; do
		set_lease "$1" "$n"
		sleep 0.5
	done
	wait_until 10 in_force "$2" 1 2 3 || return
	# Now: what the clients write will have it compacted soon.
	rfs 1 log | grep lease-time >>"$W/told"
}
by_lease() {
	local n
	for n in 1 2 3; do
		reads_by_lease "$n"
	done | awk '{ sum += $1 } END { print sum }'
}
grows_in() { # seconds
	local before
	before=$(by_lease)
	sleep "$1"
	[ "$(by_lease)" -gt "$before" ]
}

start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
wait_until 10 in_force "50.00 ms" 1 2 3
ok "which sets what the files say, and every node says so" $?

"$history" run "$W/history" 24 12 "$W"/n{1,2,3}/run/files.sock \
	2>"$W/history.log" &
clients=$!
sleep 1
wait_until 10 grows_in 0.5
ok "reads are answered by lease" $?
rolling 200ms "200.00 ms"
ok "200 ms, node by node: in force on all" $?
wait_until 10 grows_in 0.5
ok "reads are answered by lease" $?
kill_daemon "$(await_leader 1)" raftd
ok "the leader's raftd is killed" $?
wait_until 20 serving
wait_until 10 in_force "200.00 ms" 1 2 3
ok "its successor goes by the log" $?
rolling 0 off
ok "off: in force on all" $?
! grows_in 1
ok "no read is answered by lease" $?
rolling 50ms "50.00 ms"
ok "50 ms again" $?
wait_until 10 grows_in 0.5
ok "reads are answered by lease" $?
wait "$clients"
ok "all clients end, and every node shows every register" $?
"$history" check "$W/history" >"$W/verdict"
status=$?
ok "$(tail -n 1 "$W/verdict")" "$status"

leader=$(await_leader 1)
other=$((leader % 3 + 1))
third=$((other % 3 + 1))
set_lease 1s "$other"
differs() {
	lease_time "$other" |
		grep -q "^50.00 ms, .*; raft.lease here is 1.00 s and"
}
wait_until 10 differs
ok "a follower whose file differs says both" $?
in_force "50.00 ms" "$leader" "$third"
ok "and changes nothing" $?
grep -q 'leases: 50.00 ms, .*raft.lease here is 1.00 s' "$W/n$other/log"
ok "its log says so" $?
rfs 1 leader transfer "n$other" >/dev/null
ok "leadership goes to it" $?
wait_until 10 in_force "1.00 s" "$other"
ok "then its value is in force" $?
says_other() { # N
	lease_time "$1" | grep -q "^1.00 s, .*; raft.lease here is 50.00 ms"
}
all_say_other() { says_other "$leader" && says_other "$third"; }
wait_until 10 all_say_other
ok "on all nodes, and the others say that their files differ" $?

grep -q 'lease-time: leases last 200.00 ms from here on' "$W/told" &&
	grep -q 'lease-time: leases are off from here on' "$W/told"
ok "raftfs log tells each change" $?

rolling 75ms "75.00 ms"
stop 1
stop 2
stop 3
start 1 2 3
wait_until 60 serving
wait_until 10 in_force "75.00 ms" 1 2 3
ok "after a restart of all nodes the log still says so" $?
