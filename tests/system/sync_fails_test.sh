#!/usr/bin/env bash
# A sync of the log fails, and what was to be synced is gone. raftd never asks
# that descriptor again: it exits, is started anew, reads what there is, and the
# others send the rest. Nothing acknowledged is lost.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
for n in 1 2 3; do
	prefix[$n]="env LD_PRELOAD=$B/failsync.so FAILSYNC_FILE=$W/n$n/fail"
done
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?

died() { # N, how often
	[ "$(grep -c 'raftd died: exit 74' "$W/n$1/log")" -ge "$2" ]
}
follows() { [ "$(status_of "$1" | grep -c '"leader_name": *"n')" -ge 1 ]; }
fails() { # which, N
	touch "$W/n$2/fail"
	wait_until 10 died "$2" 1
	ok "$1: a failed sync ends raftd" $?
	! [ -e "$W/n$2/fail.retried" ]
	ok "$1: and is not tried again" $?
	wait_until 20 follows "$2"
	ok "$1: started anew it is back" $?
}
load 14
sleep 1
leader=$(await_leader 1)
fails "a follower" $((leader % 3 + 1))
wait_until 10 leader_by 1
fails "the leader" "$(leader_by 1)"
prove_load
ok "nothing acknowledged is lost, on any node" $?
