#!/usr/bin/env bash
# Clients on all nodes write and read a few registers while leaders are killed,
# paused and cut off: what they saw is linearizable, and nothing acknowledged is
# lost. The judge is shown forged histories first.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

history=$B/tests/system/history
world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?

"$history" run "$W/history" 26 12 "$W"/n{1,2,3}/run/files.sock \
	2>"$W/history.log" &
clients=$!
any_leader() { leader_by 1 || leader_by 2 || leader_by 3; }
settle() { wait_until 5 any_leader; }
for round in 1 2 3; do
	sleep 1
	settle && kill_daemon "$(any_leader)" raftd
	ok "round $round: raftd of the leader killed" $?
	sleep 1
	settle && old=$(any_leader) && pause "$old"
	ok "the leader's whole node paused" $?
	sleep 1.5
	resume "$old"
	sleep 1
	settle && old=$(any_leader) && pause "$old" raftd
	ok "only the leader's raftd paused" $?
	sleep 1
	resume "$old"
	sleep 1
	settle && old=$(any_leader)
	for n in 1 2 3; do [ "$n" = "$old" ] || cut "$n" "$old"; done
	ok "the leader's node cut off" $?
	sleep 1
	heal
done
wait "$clients"
ok "all clients end, and every node shows every register" $?
cat "$W/history.log"
"$history" check "$W/history" >"$W/verdict"
status=$?
ok "$(tail -n 1 "$W/verdict")" "$status"
head -n 20 "$W/verdict"
by_lease=$(for n in 1 2 3; do
	reads_by_lease "$n"
done | awk '{ sum += $1 } END { print sum }')
[ "$by_lease" -gt 1000 ]
ok "of the reads $by_lease were answered by lease" $?

# The same with one lie in it.
forge() { # what, awk program
	awk "$2" "$W/history" >"$W/forged"
	"$history" check "$W/forged" | grep -q '^fault'
	ok "the judge notices $1" $?
}
# shellcheck disable=SC2016 # awk's
forge "a stale look" '{ print }
	$1 == "look" && !old { old = $0; split($0, f) }
	$8 > end { end = $8 }
	END { print f[1], f[2], f[3], f[4], f[5], f[6], end "1", end "2" }'
# shellcheck disable=SC2016
forge "a stale read" '{ print }
	$1 == "look" && !old { old = $0; split($0, f) }
	$8 > end { end = $8 }
	END { print "read", f[2], f[3], f[4], f[5], 0, end "1", end "2" }'
# A state that somebody read, and one that somebody looked at.
seen() { # kind
	awk -v kind="$1" '$1 == kind && $2 == "done" && n++ == 50 { print $5 }' \
		"$W/history"
}
# shellcheck disable=SC2016
forge "a write told to have failed" '
	$1 == "put" && $5 == '"$(seen look)"' { $2 = "not" } { print }'
# shellcheck disable=SC2016
forge "a write that never was" '
	$1 != "read" && $5 == '"$(seen read)"' { next } { print }'
# shellcheck disable=SC2016
forge "two writes at one index" '
	$1 == "put" && $2 == "done" && n++ == 20 { print; $5 = $5 "7" } { print }'
