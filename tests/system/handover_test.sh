#!/usr/bin/env bash
# A leader that is of no use goes, although its raft works: a disk much slower
# than the others', a storaged that hangs. Leadership stays away meanwhile, even
# when an operator wants it back there, and writes go on.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
for n in 1 2 3; do
	prefix[$n]="env LD_PRELOAD=$B/slowsync.so SLOWSYNC_FILE=$W/n$n/slow"
done
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?

# One client's writes through a node in so many seconds.
pace() { # via, seconds
	"$B/tests/system/writer" "$W/n$1/run/files.sock" "/pace$RANDOM" write \
		"$2" "$W/paced" | grep -o '^acknowledged [0-9]*' |
		grep -o '[0-9]*$'
}
elsewhere() { # old: another node leads, as a third one says
	local now
	now=$(leader_by $(($1 % 3 + 1))) && [ "$now" != "$1" ]
}
said() { # N pattern
	grep -q -- "$2" "$W/n$1/log"
}

# ---- a slow disk ----
old=$(await_leader 1)
via=$((old % 3 + 1))
pace $via 1 >/dev/null
echo 200 >"$W/n$old/slow"
pace $via 8 >"$W/slow_pace" &
writer=$!
wait_until 8 elsewhere "$old"
ok "n$old, whose disk takes 200 ms, hands over" $?
wait $writer
said "$old" 'handing leadership to .*disk is much slower'
ok "and says why" $?
[ "$(cat "$W/slow_pace")" -ge 20 ]
status=$?
ok "writes went on: $(cat "$W/slow_pace") in 8 s" "$status"

new=$(await_leader $via)
! out=$(timeout 20 "$B/raftfs" -c "$W/n$new/raftfs.conf" leader transfer \
	"n$old" 2>&1) && [[ $out == *"disk is much slower"* ]]
ok "an operator cannot hand it back: $out" $?
pace $via 4 >/dev/null
elsewhere "$old"
ok "it does not come back by itself" $?
rm "$W/n$old/slow"
pace $via 3 >/dev/null
new=$(await_leader $via)
out=$(timeout 20 "$B/raftfs" -c "$W/n$new/raftfs.conf" leader transfer \
	"n$old" 2>&1)
ok "with a quick disk it may: $out" $?
[ "$(leader_by $via)" = "$old" ]
ok "and leads when the command is done" $?

# ---- a storaged that hangs ----
sleep 6 # hand-overs are seconds apart
old=$(await_leader 1)
via=$((old % 3 + 1))
pause "$old" storaged
began=$SECONDS
wait_until 8 elsewhere "$old"
ok "n$old, whose storaged is stopped, hands over" $?
said "$old" 'handing leadership to .*storaged hangs'
ok "and says why" $?
echo hello >"$W/hello"
wait_until 8 rfs $via put "$W/hello" /while_it_hangs
ok "writes go on $((SECONDS - began)) s after it began" $?
resume "$old"
wait_until 20 rfs "$old" put "$W/hello" /when_it_is_back
ok "and n$old serves when it is back" $?
