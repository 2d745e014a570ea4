#!/usr/bin/env bash
# What `make run` shows: a real three-node cluster on this machine, end to end.
#
#   B=build ONCE= bash contrib/tour.sh
#
# Data lives under ./run and is found again the next time. ONCE=1 stops the
# cluster at the end and exits 0 only if every step held; otherwise it stays up
# until Ctrl-C.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
DIR=${RAFTFS_RUN:-run}
TREE=${TREE:-/usr/include}
PORT=${PORT:-7100}
raftfs=$B/raftfs
mounted=
broken=0

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

held() { # what, status
	if [ "$2" -eq 0 ]; then
		echo "ok: $1"
	else
		echo "FAILED: $1"
		broken=$((broken + 1))
	fi
}

finish() {
	trap - INT TERM EXIT
	[ -z "$mounted" ] || fusermount3 -u "$DIR/mnt" 2>/dev/null ||
		umount -l "$DIR/mnt" 2>/dev/null
	say "stopping the cluster"
	"$raftfs" cluster down --dir "$DIR" || broken=$((broken + 1))
	exit $((broken > 0))
}

# Paths and hashes of all regular files below a folder.
hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

compare() { # what, folder
	if [ "$(hashes "$TREE")" = "$(hashes "$2")" ]; then
		held "$1: every file byte for byte the same" 0
	else
		held "$1" 1
		diff -rq "$TREE" "$2" | head -n 5
	fi
}

mkdir -p "$DIR"
trap finish INT TERM

say "three nodes: n1, n2, n3, each a supervisor with timesyncd, raftd, storaged"
if ! "$raftfs" cluster up --nodes 3 --dir "$DIR" --base-port "$PORT"; then
	echo "the cluster did not come up; logs are in $DIR/n*/log"
	"$raftfs" cluster down --dir "$DIR"
	exit 1
fi
s1=$DIR/n1/run/files.sock
s2=$DIR/n2/run/files.sock

if "$raftfs" -s "$s1" stat /tree >/dev/null 2>&1; then
	say "an earlier run left its data; reading it back through n3"
	rm -rf "$DIR/readback"
	"$raftfs" -s "$DIR/n3/run/files.sock" get -r /tree "$DIR/readback"
	held "read back after restart" $?
	compare "the tree of the earlier run" "$DIR/readback"
	"$raftfs" -s "$s1" rm -r /tree
	held "removed it, to copy it in again" $?
fi

say "copying $TREE into the cluster through n1"
"$raftfs" -s "$s1" put -r "$TREE" /tree
held "put -r $TREE /tree" $?

say "reading it back through n2"
rm -rf "$DIR/readback"
"$raftfs" -s "$s2" get -r /tree "$DIR/readback"
held "get -r /tree" $?
compare "n2's copy of what n1 was given" "$DIR/readback"

if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ]; then
	say "mounting it, and building a C program on the mount"
	mkdir -p "$DIR/mnt"
	if "$B/raftfs-mount" "$DIR" "$DIR/mnt"; then
		mounted=1
		cat >"$DIR/mnt/hello.c" <<-'C'
			#include <stdio.h>
			int main(void) { return puts("hello from raftfs") < 0; }
		C
		gcc -I"$DIR/mnt/tree" -o "$DIR/mnt/hello" "$DIR/mnt/hello.c" &&
			"$DIR/mnt/hello"
		held "gcc on the mount" $?
	else
		held "mount $DIR/mnt" 1
	fi
else
	echo "no mount: it needs root and /dev/fuse; everything else works"
fi

say "kill -9 of the leader's raftd while a client writes"
log=$DIR/gap.log
"$raftfs" -s "$s1" rm /gap >/dev/null 2>&1
"$B/tests/system/writer" "$DIR" /gap write 4 "$log" >"$DIR/gap.out" &
writer=$!
sleep 2
leader=$("$raftfs" -d "$DIR" leader | head -n 1)
"$raftfs" cluster kill "$leader" --dir "$DIR"
held "killed raftd of the leader, $leader" $?
wait "$writer"
status=$?
held "writer: $(cat "$DIR/gap.out")" "$status"
"$B/tests/system/writer" "$s2" /gap verify "$log"
held "nothing acknowledged was lost" $?

say "raftfs status"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	"$raftfs" -d "$DIR" status >"$DIR/status.out" 2>&1 && break
	sleep 0.5
done
cat "$DIR/status.out"
"$raftfs" -d "$DIR" status >/dev/null
held "healthy again" $?
say "raftfs clock"
"$raftfs" -d "$DIR" clock
held "clock table" $?

if [ -n "${ONCE:-}" ]; then
	finish
fi

say "the cluster stays up; Ctrl-C stops it. In another terminal, try:"
cat <<EOF
  $raftfs -d $DIR status
  $raftfs -d $DIR ls -l /tree
  $raftfs -d $DIR clock
  $raftfs cluster kill n1 --dir $DIR
  echo hello | $raftfs -d $DIR put - /hello && $raftfs -d $DIR cat /hello
EOF
[ -z "$mounted" ] || echo "  ls $DIR/mnt"
while :; do sleep 3600 & wait $!; done
