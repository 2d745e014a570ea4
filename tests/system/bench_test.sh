#!/usr/bin/env bash
# raftfs-bench: its figures are of work that was done, failover finds the end of
# an outage, and nothing is left behind.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
all=$W/n1/run/files.sock,$W/n2/run/files.sock,$W/n3/run/files.sock
index() { status_of 1 | grep -o '"commit_index": *[0-9]*' |
	head -n 1 | grep -o '[0-9]*$'; }
field() { python3 -c "import json; print(json.load(open('$1'))['$2'])"; }

before=$(index)
timeout 30 "$B/raftfs-bench" raft put --endpoints "$all" --clients 4 \
	--seconds 2 --size 300 >"$W/put"
status=$?
ok "put: $(cat "$W/put")" "$status"
[ "$(field "$W/put" ops)" -gt 100 ] && [ "$(field "$W/put" errors)" = 0 ] &&
	[ $(($(index) - before)) -ge "$(field "$W/put" ops)" ]
ok "there are as many entries in the log" $?
for op in lread sread; do
	before=$(index)
	timeout 30 "$B/raftfs-bench" raft $op --endpoints "$all" --clients 4 \
		--seconds 2 >"$W/$op"
	status=$?
	ok "$op: $(cat "$W/$op")" "$status"
	[ "$(field "$W/$op" ops)" -gt 1000 ] &&
		[ $(($(index) - before)) -lt 200 ]
	ok "$op puts next to nothing into the log" $?
done

mkfifo "$W/go"
timeout 60 "$B/raftfs-bench" failover --endpoints "$all" --timeout 20s \
	<"$W/go" >"$W/times" &
bench=$!
exec 5>"$W/go"
ready() { grep -q ready "$W/times"; }
wait_until 20 ready
ok "failover is ready" $?
uptime_ns() { python3 -c 'import time; print(time.monotonic_ns())'; }
for n in 1 2 3; do pause $n; done
echo go >&5
sleep 1
resumed=$(uptime_ns)
for n in 1 2 3; do resume $n; done
wait "$bench"
status=$?
ok "and ends: $(tail -n 1 "$W/times")" "$status"
exec 5>&-
read -r write_ns read_ns <<<"$(tail -n 1 "$W/times")"
[ "$write_ns" -gt "$resumed" ] && [ "$read_ns" -gt "$resumed" ]
ok "nothing succeeds before the nodes are back" $?
! timeout 5 "$B/raftfs-bench" put --endpoints "$W/nobody" >/dev/null 2>&1
ok "without a cluster it fails" $?
left() { [ "$(rfs 1 ls / | grep -c raftfs-bench)" = "$1" ]; }
left 0
ok "nothing is left behind" $?
