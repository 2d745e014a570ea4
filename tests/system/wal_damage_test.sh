#!/usr/bin/env bash
# Bytes flip in one node's log. What was being written when a node died is cut;
# what had been durable is damage: refused by file and offset, while the others
# go on, and the node never wins by having forgotten.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 20 leader_by 1
ok "a leader is elected" $?
for i in 1 2 3 4 5 6 7 8; do echo $i | rfs 1 put - "/f$i" || break; done
ok "writes go in" $?
victim=$(($(leader_by 1) % 3 + 1))
other=$((victim % 3 + 1))
wal=$W/n$victim/data/raftd/wal
state=$W/n$victim/data/raftd/hardstate
sleep 0.5 # a mark follows the last write

# Where the last segment's records are, read as raftfs-wal(5) says.
offset_of() { # first, last, end, mark
	python3 - "$(find "$wal" -name '*.wal' | sort | tail -n 1)" "$1" <<-'EOF'
		import struct, sys
		b = open(sys.argv[1], 'rb').read()
		records, at = [], 12288
		while b[at:at + 4] != bytes(4):
		    records.append(at)
		    at += (48 + struct.unpack_from('<I', b, at + 4)[0] + 7) // 8 * 8
		marks = [struct.unpack_from('<QQ', b, m + 24)
		         for m in (4096, 8192) if b[m:m + 4] == b'RFSM']
		print({'first': records[0], 'last': records[-1], 'end': at,
		       'mark': max(marks)[1]}[sys.argv[2]])
	EOF
}
segment() { find "$wal" -name '*.wal' | sort | tail -n 1; }
flip() { # file offset
	python3 - "$1" "$2" <<-'EOF'
		import sys
		with open(sys.argv[1], 'r+b') as f:
		    f.seek(int(sys.argv[2])); b = f.read(1)
		    f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 1]))
	EOF
}
shown() { # since line, pattern
	tail -n "+$1" "$W/n$victim/log" | grep -E "$2"
}
lines() { wc -l <"$W/n$victim/log"; }
serves() { timeout 5 "$B/raftfs" -s "$W/n$victim/run/files.sock" cat /f8; }
others_go_on() { echo x | rfs "$other" put - "/on$RANDOM"; }

crash "$victim"
[ "$(offset_of mark)" -ge "$(offset_of last)" ]
ok "the mark covers what was written before" $?
printf 'half a record' | dd of="$(segment)" bs=1 conv=notrunc status=none \
	seek="$(offset_of end)"
from=$(lines)
start "$victim"
wait_until 20 serves
ok "a torn end is no obstacle" $?
shown "$from" 'torn|cut'
ok "and said to be cut" $?

refused() { # what, file, offset
	local from
	crash "$victim"
	flip "$2" "$3"
	from=$(lines)
	start "$victim"
	wait_until 10 shown "$from" "raftd.*$(basename "$2").*(offset|$3)"
	ok "$1: refused, naming file and offset" $?
	shown "$from" "$(basename "$2")" | head -n 1
	others_go_on
	ok "$1: the others go on" $?
	! serves
	ok "$1: the node answers nobody" $?
	crash "$victim"
	flip "$2" "$3"
	start "$victim"
	wait_until 20 serves
	ok "$1: undone, it starts" $?
}
refused "a flip in the first record" "$(segment)" $(($(offset_of first) + 60))
sleep 0.5
refused "a flip in the last record" "$(segment)" $(($(offset_of last) + 60))

# It cannot lead, even when it is needed.
crash "$victim"
crash "$other"
flip "$(segment)" $(($(offset_of first) + 60))
start "$victim"
sleep 2
! timeout 3 "$B/raftfs" -s "$W/n$((other % 3 + 1))/run/files.sock" ls / \
	>/dev/null 2>&1
ok "a node that has forgotten is no majority with a third" $?
start "$other"
whole() { [ "$(rfs "$other" cat /f8)" = 8 ]; }
wait_until 20 whole
ok "with the whole one back, everything is there" $?
crash "$victim"
flip "$(segment)" $(($(offset_of first) + 60))

flip "$state" 24
start "$victim"
wait_until 20 serves
ok "one bad copy of term and vote is no obstacle" $?
crash "$victim"
flip "$state" 24
flip "$state" $((4096 + 24))
from=$(lines)
flip "$state" 25
start "$victim"
wait_until 10 shown "$from" 'raftd.*hardstate'
ok "two bad copies are refused" $?
others_go_on
ok "and the others go on" $?
