#!/usr/bin/env bash
# The snapshots that could be sent have gone bad: who gets one finds out, says
# so, and another is made. One bad copy of the note beside the log costs nothing.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	snapshot_after_entries = 100
	segment = 8MiB
}'
world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
away=$(($(await_leader 1) % 3 + 1))
one=$((away % 3 + 1))
two=$((one % 3 + 1))
stop "$away"
mkdir -p "$W/src"
for i in $(seq 1 250); do echo "$i" >"$W/src/f$i"; done
rfs "$one" put -r "$W/src" /tree >/dev/null
ok "a tree goes in while n$away is down" $?
snapshots() { find "$W/n$1/data/storaged/snapshots" -name '*.snap'; }
# So late ones that none is due at the next start: a new one would be good.
has_snapshot() { # N
	[ "$(snapshots "$1")" ] &&
		[ $(($(number "$1" commit_index) - $(number "$1" \
			snapshot_index))) -lt 90 ]
}
have_snapshots() { has_snapshot "$one" && has_snapshot "$two"; }
wait_until 60 have_snapshots
ok "the others have snapshots" $?

flip() { # file, offset
	python3 - "$1" "$2" <<-'EOF'
		import sys
		with open(sys.argv[1], 'r+b') as f:
		    f.seek(int(sys.argv[2])); b = f.read(1)
		    f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 1]))
	EOF
}
# Started anew, their logs hold no more than what follows the snapshot.
for n in $one $two; do crash "$n"; done
for n in $one $two; do
	for file in $(snapshots "$n"); do flip "$file" 20000; done
	flip "$W/n$n/data/raftd/snapshot.meta" 30
done
start "$one" "$two"
wait_until 20 leader_by "$one"
ok "started anew they have a leader, with a bad copy of the note each" $?
grep -q 'snapshot.meta: copy 0 is bad' "$W/n$one/log"
ok "which was noticed" $?
echo more | rfs "$one" put - /more
ok "writes go on" $?
start "$away"
caught_up() { [ "$(rfs "$away" ls /tree 2>/dev/null | wc -l)" = 250 ]; }
wait_until 60 caught_up
ok "who was away catches up" $?
grep -q 'found .* damaged: having another one made' "$W/n$one/log" "$W/n$two/log"
ok "after the bad snapshot was found out" $?
rm -rf "$W/dst"
rfs "$away" get -r /tree "$W/dst" >/dev/null
diff -r "$W/src" "$W/dst"
ok "every byte is there" $?
