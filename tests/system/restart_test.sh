#!/usr/bin/env bash
# Nodes come back from disk: one that was away, one that missed more than the
# log holds, and all of them after a crash of the whole cluster.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	snapshot_after_entries = 300
	segment = 8MiB
}'
world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
mkdir -p "$W/src"
for i in $(seq 1 150); do
	head -c $((i * 400)) /dev/urandom >"$W/src/f$i"
done
head -c 2500000 /dev/urandom >"$W/src/big"
rfs 1 put -r "$W/src" /one >/dev/null
ok "a tree goes in" $?

leader=$(await_leader 1)
away=$((leader % 3 + 1))
stop "$away"
before=$(number "$leader" last_index)
rfs "$leader" put -r "$W/src" /two >/dev/null
ok "another one while n$away is down" $?
for i in 1 2 3; do
	rfs "$leader" put -r "$W/src" "/more$i" >/dev/null
	ok "and more than the log keeps ($i)" $?
done
# Not that of a follower, which may lead next and keeps more.
is_compacted() { [ "$(number "$leader" first_index)" -gt "$before" ]; }
for i in $(seq 4 20); do
	wait_until 3 is_compacted && break
	rfs "$leader" put -r "$W/src" "/more$i" >/dev/null
done
is_compacted
ok "whose beginning n$away would need is gone" $?
start "$away"
caught_up() { [ "$(rfs "$away" ls /more3 2>/dev/null | wc -l)" -eq 151 ]; }
wait_until 60 caught_up
ok "n$away catches up" $?
grep -q 'snapshot: received' "$W/n$away/log"
ok "by snapshot" $?
rm -rf "$W/dst"
rfs "$away" get -r /two "$W/dst" >/dev/null
diff -r "$W/src" "$W/dst"
ok "and serves every byte of what it missed" $?

for n in 1 2 3; do crash "$n"; done
start 1 2 3
wait_until 60 serving
ok "after a crash of all nodes there is a leader again" $?
for n in 1 2 3; do
	rm -rf "$W/dst"
	rfs "$n" get -r /more2 "$W/dst" >/dev/null
	diff -r "$W/src" "$W/dst"
	ok "n$n has everything" $?
done
digests() {
	for n in 1 2 3; do
		timeout 10 "$B/raftfs" -c "$W/n$n/raftfs.conf" status --json |
			grep -o '"applied_index": *[0-9]*'
	done | sort -u | wc -l
}
same() { [ "$(digests)" = 1 ]; }
wait_until 15 same
ok "all have applied the same log" $?
