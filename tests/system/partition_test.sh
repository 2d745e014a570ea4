#!/usr/bin/env bash
# The network is cut around the leader, and healed; nothing acknowledged is lost
# and the minority neither writes nor answers reads.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
old=$(await_leader 1)
others=$(seq 1 3 | grep -v "$old")
read -r a b <<<"$(echo "$others" | tr '\n' ' ')"
rfs "$old" put "$SELF" /before
ok "a write before the cut" $?

cut "$old" "$a"
cut "$old" "$b"
new_leader() { [ "$(leader_by "$a")" != "$old" ] && leader_by "$a"; }
wait_until 15 new_leader
ok "the majority elects another leader" $?
echo during | rfs "$a" put - /during
ok "the majority goes on writing" $?
alone() { timeout 8 "$B/raftfs" -s "$W/n$old/run/files.sock" "$@"; }
! alone cat /during >"$W/stale" 2>&1 && ! grep -q during "$W/stale"
ok "the old leader, alone, answers no read" $?
! alone mkdir /minority >/dev/null 2>&1
ok "and takes no write" $?

heal
has() { [ "$(rfs "$1" cat /during 2>/dev/null)" = during ]; }
wait_until 15 has "$old"
ok "after healing the old leader has what it missed" $?
rfs "$old" cat /before | cmp - "$SELF"
ok "and what was there before" $?

# A client in the middle of its writes, and the leader's words cut off before the
# answers to them: what it takes last reaches nobody. Now and then the cut comes
# between two writes.
cut_short() {
	local n
	old=$(leader_by 1) || return
	"$B/tests/system/writer" "$W/n$old/run/files.sock" "/cut_short$1" \
		write 3 "$W/acked" >/dev/null 2>&1 &
	sleep 1
	for n in 1 2 3; do
		[ "$n" = "$old" ] || cut "$n" "$old" oneway
	done
	for n in 1 2 3; do
		[ "$n" = "$old" ] || cut "$old" "$n"
	done
	a=$((old % 3 + 1))
	wait_until 15 new_leader
	heal
	wait $!
	wait_until 15 rfs "$old" ls /
	"$B/tests/system/writer" "$W/n$a/run/files.sock" "/cut_short$1" verify \
		"$W/acked" >/dev/null || lost=1
}
settled() {
	grep -q 'give way to the leader.*stamped.*to term.*stamped' \
		"$W"/n?/log
}
lost=0
for round in 1 2 3 4 5; do
	settled || cut_short $round
done
settled
ok "what gives way is logged with both stamps" $?
[ $lost = 0 ]
ok "and nothing that was acknowledged gives way" $?

# One way: the leader's words arrive, the answers do not.
old=$(await_leader 1)
for n in 1 2 3; do
	[ "$n" = "$old" ] || cut "$old" "$n" oneway
done
works() { echo "$1" | timeout 5 "$B/raftfs" -s \
	"$W/n$(((old % 3) + 1))/run/files.sock" put - /oneway; }
wait_until 25 works half
ok "a leader that hears nobody is replaced" $?
heal
wait_until 15 rfs "$old" cat /oneway
ok "and comes back" $?
