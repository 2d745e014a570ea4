#!/usr/bin/env bash
# Every node is restarted in turn, the leader too, under writers on all nodes;
# then every node is killed whole in turn. Nothing acknowledged is lost.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
load 14
serves() { timeout 5 "$B/raftfs" -s "$W/n$1/run/files.sock" ls /; }
for n in 1 2 3; do
	stop "$n"
	start "$n"
	wait_until 20 serves "$n"
	ok "n$n is restarted" $?
done
for n in 1 2 3; do
	crash "$n"
	sleep 0.5
	start "$n"
	wait_until 20 serves "$n"
	ok "n$n is killed whole, and comes back" $?
done
prove_load
ok "nothing acknowledged is lost, on any node" $?
