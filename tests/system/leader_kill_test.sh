#!/usr/bin/env bash
# kill -9 of the leader's raftd, again and again, under a writer on every node:
# no acknowledged write is lost, none happens twice.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?

writers=()
for n in 1 2 3; do
	"$B/tests/system/writer" "$W/n$n/run/files.sock" "/records$n" \
		write 12 "$W/acked$n" >"$W/writer$n" 2>&1 &
	writers+=($!)
done
for round in 1 2 3 4; do
	sleep 2
	leader=$(await_leader $((round % 3 + 1)))
	[ -n "$leader" ] && kill_daemon "$leader" raftd
	ok "round $round: raftd of the leader, n${leader:-?}, killed" $?
done
for n in 1 2 3; do
	wait "${writers[$((n - 1))]}"
	status=$?
	ok "writer on n$n: $(cat "$W/writer$n")" "$status"
done
for n in 1 2 3; do
	for via in 1 2 3; do
		"$B/tests/system/writer" "$W/n$via/run/files.sock" \
			"/records$n" verify "$W/acked$n"
		ok "n$n's acknowledged records are whole, read through n$via" $?
	done
done
