#!/usr/bin/env bash
# Bytes flip in one node's log. What was being written when a node died is cut;
# what had been durable is damage, and comes back from the others with nobody's
# help. The node never wins by having forgotten.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
for i in 1 2 3 4 5 6 7 8; do echo $i | rfs 1 put - "/f$i" || break; done
ok "writes go in" $?
victim=$(($(await_leader 1) % 3 + 1))
other=$((victim % 3 + 1))
third=$((other % 3 + 1))
wal=$W/n$victim/data/raftd/wal
state=$W/n$victim/data/raftd/hardstate

segment() { find "$wal" -name '*.wal' | sort | tail -n 1; }
# Where the last segment's records are, read as raftfs-wal(5) says.
offset_of() { # first, last, end, mark
	python3 - "$(segment)" "$1" <<-'EOF'
		import struct, sys
		b = open(sys.argv[1], 'rb').read()
		records, at = [], 12288
		while b[at:at + 4] != bytes(4):
		    records.append(at)
		    at += (48 + struct.unpack_from('<I', b, at + 4)[0] + 7) // 8 * 8
		marks = [struct.unpack_from('<QQ', b, m + 24)
		         for m in (4096, 8192) if b[m:m + 4] == b'RFSM']
		print({'first': records[0], 'last': records[-1], 'end': at,
		       'mark': max(marks, default=(0, 0))[1]}[sys.argv[2]])
	EOF
}
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
lines() { echo $(($(wc -l <"$W/n$victim/log") + 1)); } # the next
serves() { timeout 5 "$B/raftfs" -s "$W/n$victim/run/files.sock" cat /f8; }
others_go_on() { echo x | rfs "$other" put - "/on$RANDOM"; }
number() { # node, name of a number in its raftd's status
	status_of "$1" | grep -o "\"$2\": *[0-9]*" | head -n 1 | grep -o '[0-9]*$'
}
repaired() { # how often at least, since raftd started; nothing lost now
	[ "$(number "$victim" repairs)" -ge "$1" ] &&
		[ "$(number "$victim" lost_to)" = 0 ]
}
marked() { [ "$(offset_of mark)" -ge "$(offset_of end)" ]; }
same() {
	[ "$(for n in 1 2 3; do tree_hash $n /; done | uniq -c |
		awk '{print $1}')" = 3 ]
}
# Crash the victim when its mark covers all that was written.
crash_marked() {
	local tries
	for tries in 1 2 3 4 5 6 7 8; do
		wait_until 10 marked
		crash "$victim"
		marked && return
		echo "# something was written meanwhile, try $tries"
		start "$victim"
		wait_until 20 serves
	done
	return 1
}

crash_marked
ok "the mark covers what was written before" $?
printf 'half a record' | dd of="$(segment)" bs=1 conv=notrunc status=none \
	seek="$(offset_of end)"
from=$(lines)
start "$victim"
wait_until 20 serves
ok "a torn end is no obstacle" $?
shown "$from" 'torn|cut'
ok "and said to be cut" $?

heals() { # what, file, offset
	local from
	flip "$2" "$3"
	from=$(lines)
	start "$victim"
	wait_until 20 repaired 1
	ok "$1: the node repairs itself" $?
	shown "$from" "raftd.*$(basename "$2").*offset" | head -n 1
	shown "$from" "raftd.*$(basename "$2").*offset" >/dev/null
	ok "$1: file and offset are named" $?
	others_go_on
	ok "$1: the others go on" $?
	wait_until 20 serves
	ok "$1: the node serves" $?
	wait_until 20 same
	ok "$1: all hold the same" $?
}
crash_marked
heals "a flip in the first record" "$(segment)" $(($(offset_of first) + 60))
crash_marked
heals "a flip in the last record" "$(segment)" $(($(offset_of last) + 20))
crash_marked
heals "a flip in the only header" "$(segment)" 20
crash_marked
heals "a flip anywhere" "$(segment)" \
	$((12288 + RANDOM * RANDOM % ($(offset_of end) - 12288)))

# It cannot lead, nor make a leader, of what it has forgotten. The third lacks
# what the two others committed.
committed() { [ "$(number "$1" commit_index)" -ge "$2" ]; }
crash "$third"
echo precious | rfs "$other" put - /precious
ok "two commit what the third lacks" $?
wait_until 10 committed "$victim" "$(number "$other" commit_index)"
crash_marked
crash "$other"
flip "$(segment)" $(($(offset_of first) + 60))
from=$(lines)
start "$victim" "$third"
wait_until 20 shown "$from" 'raftd.*are lost here'
ok "the damaged node says what it lost" $?
[ "$(number "$victim" lost_to)" -gt 0 ]
ok "and its status does" $?
sleep 2
! timeout 3 "$B/raftfs" -s "$W/n$third/run/files.sock" ls / >/dev/null 2>&1
ok "a node that has forgotten is no majority with a third" $?
! wait_until 1 leader_by "$third"
ok "and there is no leader" $?
start "$other"
whole() { [ "$(rfs "$third" cat /precious)" = precious ]; }
wait_until 20 whole
ok "with the whole one back, everything is there" $?
wait_until 20 repaired 1
ok "and the damaged one is repaired" $?
wait_until 20 same
ok "all hold the same" $?

# Every copy damaged: nobody may lead, and the status says so.
for n in 1 2 3; do crash $n; done
for n in 1 2 3; do
	wal=$W/n$n/data/raftd/wal
	flip "$(segment)" $(($(offset_of first) + 60))
done
wal=$W/n$victim/data/raftd/wal
start 1 2 3
all_lost() {
	local n
	for n in 1 2 3; do
		[ "$(number $n lost_to)" -gt 0 ] || return 1
	done
}
wait_until 20 all_lost
ok "with every copy damaged each node says what it lost" $?
! wait_until 2 leader_by 1
ok "and none leads" $?

crash "$victim"
flip "$state" 24
from=$(lines)
start "$victim"
wait_until 20 shown "$from" 'hardstate.*copy 0'
ok "one bad copy of term and vote is survived" $?
wait_until 20 all_lost
ok "and what was promised is still known" $?
crash "$victim"
flip "$state" 24
flip "$state" $((4096 + 24))
from=$(lines)
start "$victim"
wait_until 10 shown "$from" 'raftd.*both copies.*hardstate|raftd.*hardstate.*both copies'
ok "two bad copies are refused" $?
