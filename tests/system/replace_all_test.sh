#!/usr/bin/env bash
# Every founder is replaced by a new node and killed at once, one after another,
# as fast as it is done. A new node votes only when it has the data, so all of
# it outlives those who took it in.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	snapshot_after_entries = 300
	segment = 8MiB
}'
world 6 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
mkdir -p "$W/src"
for i in $(seq 1 60); do
	head -c 1000000 /dev/urandom >"$W/src/large$i"
	head -c $((i * 900)) /dev/urandom >"$W/src/small$i"
done
rfs 1 put -r "$W/src" /tree >/dev/null 2>&1
ok "60 large files and 60 small ones go in" $?
rfs 2 put -r "$W/src" /again >/dev/null 2>&1
ok "and once more" $?
start 4 5 6
for old in 1 2 3; do
	new=$((old + 3))
	via=$((old < 3 ? 3 : 4))
	timeout 90 "$B/raftfs" -c "$W/n$via/raftfs.conf" members replace \
		"n$old" "n$new" --config "$W/n$new/raftfs.conf" \
		>>"$W/members.log" 2>&1
	ok "n$new takes the place of n$old" $?
	crash "$old"
done
wait_until 20 leader_by 4
ok "the three new nodes have a leader" $?
for n in 4 5 6; do
	rm -rf "$W/dst"
	rfs "$n" get -r /tree "$W/dst" >/dev/null 2>&1
	diff -rq "$W/src" "$W/dst"
	ok "and n$n has every byte" $?
done
