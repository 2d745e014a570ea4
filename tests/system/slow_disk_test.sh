#!/usr/bin/env bash
# One node's disk begins to take 200 ms for every sync. While it follows, the
# cluster keeps its pace; where it leads, writes go on all the same, and the pace
# is back at the latest when the disk is.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
for n in 1 2 3; do
	prefix[$n]="env LD_PRELOAD=$B/slowsync.so SLOWSYNC_FILE=$W/n$n/slow"
done
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
# Writes that one client gets acknowledged in a time in which a cluster that
# waits for the slow disk every time can do 10.
pace() { # via, seconds
	"$B/tests/system/writer" "$W/n$1/run/files.sock" "/pace$RANDOM" write \
		"$2" "$W/paced" | grep -o '^acknowledged [0-9]*' |
		grep -o '[0-9]*$'
}

# That the disk is slow, in the node's own words.
measured() { # N
	[ "$(status_of "$1" | grep -o '"fsync_p99_ns": *[0-9]*' | head -n 1 |
		grep -o '[0-9]*$')" -ge 200000000 ]
}

leader=$(await_leader 1)
slow=$((leader % 3 + 1))
echo 200 >"$W/n$slow/slow"
done_=$(pace "$leader" 3)
[ "${done_:-0}" -ge 50 ]
ok "following it slows nobody down: ${done_:-0} writes in 3 s" $?
measured $slow
ok "and it did have a slow disk" $?
rm "$W/n$slow/slow"

wait_until 10 leader_by 1
slow=$(await_leader 1)
echo 200 >"$W/n$slow/slow"
done_=$(pace $((slow % 3 + 1)) 4)
[ "${done_:-0}" -ge 2 ]
ok "where n$slow leads, writes go on: ${done_:-0} in 4 s; then n$(leader_by \
	$((slow % 3 + 1))) leads" $?
rm "$W/n$slow/slow"
recovered() { [ "$(pace $((slow % 3 + 1)) 1)" -ge 25 ]; }
wait_until 20 recovered
ok "with a quick disk the pace is back" $?
"$B/tests/system/writer" "$W/n$slow/run/files.sock" /pace_last write 1 \
	"$W/paced" >/dev/null &&
	"$B/tests/system/writer" "$W/n$((slow % 3 + 1))/run/files.sock" \
		/pace_last verify "$W/paced"
ok "and n$slow has not fallen behind" $?

# A new term waits for the disk, the loop does not: it answers meanwhile, and
# says itself how long it was away at most.
wait_until 10 leader_by 1
old=$(await_leader 1)
slow=$((old % 3 + 1))
next=$((slow % 3 + 1))
term_at() { number "$1" term; }
before=$(term_at $slow)
echo 4000 >"$W/n$slow/slow"
timeout 20 "$B/raftfs" -c "$W/n$old/raftfs.conf" leader transfer "n$next" \
	>/dev/null
new_term() { [ "$(term_at $slow)" -gt "$before" ]; }
wait_until 20 new_term
ok "with a disk of 4 s a sync n$slow hears of the next term" $?
stall=$(number $slow loop_stall_max_ns)
[ "${stall:-4000000000}" -lt 4000000000 ]
ok "and its loop was never away for as long: $((stall / 1000000)) ms" $?
rm "$W/n$slow/slow"
