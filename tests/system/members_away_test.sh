#!/usr/bin/env bash
# A node that was away while the members changed meets a leader whose name its
# log has never held; one member that it still knows is enough to be let in on it.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

members() { # N args...: by node N's configuration
	local n=$1
	shift
	timeout 60 "$B/raftfs" -c "$W/n$n/raftfs.conf" members "$@"
}

takes_in() { # N
	start "$1"
	members 2 add "n$1" --config "$W/n$1/raftfs.conf" 2>/dev/null
	ok "n$1 is taken in" $?
}

world 5 3
start 1 2 3
wait_until 20 rfs 3 put "$SELF" /before
ok "written while all were there" $?
stop 3
takes_in 4
takes_in 5
members 2 remove n1 2>/dev/null
ok "n1 leaves" $?
stop 1
handed_to_5() {
	[ "$(leader_by 2)" = 5 ] || {
		rfs 2 put "$SELF" /turn
		timeout 20 "$B/raftfs" -c "$W/n2/raftfs.conf" leader transfer n5
		sleep 0.5
		[ "$(leader_by 2)" = 5 ]
	}
}
wait_until 30 handed_to_5
ok "n5 leads, of which n3 has never heard" $?
rfs 5 put "$SELF" /meanwhile
ok "and writes" $?

start 3
wait_until 20 rfs 3 get /meanwhile "$W/copy3" && cmp -s "$SELF" "$W/copy3"
ok "n3 comes back and reads what it missed" $?
follows_5() {
	[ "$(leader_by 3)" = 5 ]
}
wait_until 10 follows_5
ok "from n5" $?
wait_until 10 grep -q 'node "n5"' "$W/n3/data/members.conf" &&
	! grep -q 'node "n1"' "$W/n3/data/members.conf"
ok "its members.conf has who came, and not who left" $?
stop 5
wait_until 30 rfs 3 put "$SELF" /after
ok "it votes: three of four go on without n5" $?
