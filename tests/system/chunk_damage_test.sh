#!/usr/bin/env bash
# Bytes flip in one node's chunks and packs: no reader gets a wrong one, and the
# node's copies are whole again afterwards.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
mkdir -p "$W/src"
for i in $(seq 1 30); do head -c $((i * 211)) /dev/urandom >"$W/src/s$i"; done
for i in 1 2 3; do head -c 2500000 /dev/urandom >"$W/src/big$i"; done
rfs 1 put -r "$W/src" /tree >/dev/null
ok "small and large files go in" $?
victim=$(($(await_leader 1) % 3 + 1))
store=$W/n$victim/data/storaged
damage() {
	python3 - "$store" <<-'EOF'
		import pathlib, random, sys
		random.seed(1)
		flips = 0
		for f in sorted(pathlib.Path(sys.argv[1]).rglob('*')):
		    if f.suffix not in ('.chunk', '.pack'):
		        continue
		    size = f.stat().st_size
		    with open(f, 'r+b') as h:
		        for _ in range(1 if f.suffix == '.chunk' else 12):
		            at = random.randrange(size // 8, size)
		            h.seek(at)
		            b = h.read(1)
		            h.seek(at)
		            h.write(bytes([b[0] ^ (1 << random.randrange(8))]))
		            flips += 1
		print(flips)
	EOF
}
read_all() {
	rm -rf "$W/got"
	rfs "$victim" get -r /tree "$W/got" >/dev/null &&
		diff -r "$W/src" "$W/got"
}
bad() { status_of "$victim" | grep -o '"chunks_bad": *[0-9]*' |
	grep -o '[0-9]*$' | sort -n | tail -n 1; }

read_all
ok "n$victim has them" $?
flips=$(damage)
[ "$flips" -ge 10 ]
ok "$flips bytes flip under the running node" $?
read_all
ok "readers get every byte right" $?
found=$(bad)
[ "${found:-0}" -ge 9 ]
ok "the node noticed: ${found:-0} bad chunks" $?
read_all && [ "$(bad)" = "$found" ]
ok "they were repaired: reading again finds no more" $?

crash "$victim"
flips=$(damage)
start "$victim"
serves() { timeout 5 "$B/raftfs" -s "$W/n$victim/run/files.sock" ls /; }
wait_until 20 serves
ok "$flips more while it is down; it starts" $?
read_all
ok "readers get every byte right" $?
found=$(bad)
read_all && [ "$(bad)" = "$found" ]
ok "and its copies are whole again" $?
