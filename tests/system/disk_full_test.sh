#!/usr/bin/env bash
# The disk of one node fills up: the cluster goes on, the node says so, and it
# recovers by itself when there is room again.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	segment = 8MiB
}
storage {
	reserve = 8MiB
	map = 1GiB
}'
world 3
mount -t tmpfs -o size=64m,mode=700 raftfs-test "$W/n3/data" || exit 1
mounts+=("$W/n3/data")
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
rfs 1 put "$SELF" /file
ok "a file goes in" $?

head -c 100000000 /dev/zero >"$W/n3/data/ballast" 2>/dev/null
[ "$(df --output=avail -B1 "$W/n3/data" | tail -n 1)" -lt 8388608 ]
ok "n3's disk is full" $?
mkdir -p "$W/src"
for i in $(seq 1 40); do head -c 200000 /dev/urandom >"$W/src/f$i"; done
head -c 4000000 /dev/urandom >"$W/src/big"
rfs 1 put -r "$W/src" /tree >/dev/null
ok "the cluster takes large and small files without it" $?
rfs 2 get -r /tree "$W/dst" >/dev/null && diff -r "$W/src" "$W/dst"
ok "and gives them back" $?
says() { status_of 3 | grep -qE '"disk_full": *true'; }
wait_until 10 says
ok "n3's status says that its disk is full" $?

rm -f "$W/n3/data/ballast"
gone() { status_of 3 | grep -qE '"disk_full": *true' && return 1; return 0; }
wait_until 20 gone
ok "with room again it recovers by itself" $?
rm -rf "$W/dst"
has_all() {
	rm -rf "$W/dst"
	rfs 3 get -r /tree "$W/dst" >/dev/null 2>&1 &&
		diff -r "$W/src" "$W/dst"
}
wait_until 40 has_all
ok "and has every byte" $?
