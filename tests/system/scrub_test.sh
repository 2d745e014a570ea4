#!/usr/bin/env bash
# The log goes bad on the disk while its node runs: it reads it back, finds out,
# and puts right what it still knows. Nobody else notices.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	scrub_interval = 200ms
}'
world 3
prefix[1]="env LD_PRELOAD=$B/badsector.so BADSECTOR_FILE=$W/bad"
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
for i in 1 2 3 4 5 6 7 8; do echo $i | rfs 1 put - "/f$i" || break; done
ok "writes go in" $?
segment=$W/n1/data/raftd/wal/0000000000000001.wal

number() { # name of a number in the raftd status of node 1
	status_of 1 | grep -o "\"$1\": *[0-9]*" | head -n 1 | grep -o '[0-9]*$'
}
at_least() { [ "$(number "$1")" -ge "$2" ]; }
more_than() { at_least "$1" $(($2 + 1)); }
flip() { # offset, bytes
	python3 - "$segment" "$1" "$2" <<-'EOF'
		import sys
		path, at, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		with open(path, 'r+b') as f:
		    f.seek(at); b = f.read(count)
		    f.seek(at); f.write(bytes(x ^ 0x55 for x in b))
	EOF
}

wait_until 20 at_least scrubs 2
ok "the log is read back" $?
[ "$(number scrub_bad)" = 0 ]
ok "and is good" $?
mended=0
mends() { # what, offset, bytes
	flip "$2" "$3"
	mended=$((mended + 1))
	wait_until 20 at_least scrub_mended $mended
	ok "$1: put right" $?
	wait_until 20 more_than scrubs "$(number scrubs)"
	[ "$(number scrub_bad)" = $mended ]
	ok "$1: and good from then on" $?
	echo x | rfs 1 put - "/after$mended"
	ok "$1: writes go on" $?
}
mends "a byte of a record" 12350 1
mends "a sector of records" 12800 512
mends "a byte of the header" 40 1
echo 13312 >"$W/bad"
mends "a sector that cannot be read" 13313 0
mends "a byte of a mark" 4110 1

before=$(wc -l <"$W/n1/log")
crash 1
start 1
serves() { [ "$(timeout 5 "$B/raftfs" -s "$W/n1/run/files.sock" cat /f8)" = 8 ]; }
wait_until 20 serves
ok "started anew it serves" $?
! tail -n "+$((before + 1))" "$W/n1/log" | grep -E 'damaged|lost here'
ok "and nothing was damaged" $?

crash 1
echo 13312 >"$W/bad"
start 1
repaired() { [ "$(number repairs)" = 1 ] && [ "$(number lost_to)" = 0 ]; }
wait_until 20 repaired
ok "a sector that cannot be read at a start is repaired by the others" $?
! [ -e "$W/bad" ]
ok "and was written anew" $?
