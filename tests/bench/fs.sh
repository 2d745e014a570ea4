#!/usr/bin/env bash
# make bench-fs: files through the mount of a three-node cluster on this
# machine, side by side with the local disk it stands on.
#
# Names: fs.create4k.WORKERS, fs.seqwrite, fs.seqread, fs.stat, fs.sync4k;
# "local." in front is the same load on the bare local directory.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
D=$B/bench-fs
SECONDS_EACH=${SECONDS_EACH:-4}
MIB=${MIB:-128}

if [ "$(id -u)" != 0 ] || [ ! -c /dev/fuse ]; then
	echo "bench-fs needs root and /dev/fuse" >&2
	exit 1
fi
sh tests/deps.sh fuse3
fs=$B/tests/bench/fsload

clean_up() {
	fusermount3 -u "$D/mnt" 2>/dev/null || umount -l "$D/mnt" 2>/dev/null ||
		true
	"$B/raftfs" cluster down --dir "$D/cluster" >/dev/null 2>&1 || true
	rm -rf "$D"
}
trap clean_up EXIT
rm -rf "$D"
mkdir -p "$D/mnt" "$D/local"
"$B/raftfs" cluster up --nodes 3 --dir "$D/cluster" --base-port 7300 >/dev/null
"$B/raftfs-mount" "$D/cluster" "$D/mnt"
mkdir "$D/mnt/bench"

for where in "" local.; do
	dir=$D/mnt/bench
	[ -z "$where" ] || dir=$D/local
	for workers in 1 8; do
		mkdir "$dir/c$workers"
		"$fs" "${where}fs.create4k.$workers" "$dir/c$workers" create \
			"$workers" "$SECONDS_EACH"
	done
	"$fs" "${where}fs.stat" "$dir/c1" stat "$SECONDS_EACH"
	"$fs" "${where}fs.seqwrite" "$dir" seqwrite "$MIB"
	"$fs" "${where}fs.seqread" "$dir" seqread "$MIB"
	"$fs" "${where}fs.sync4k" "$dir" sync "$SECONDS_EACH"
done
