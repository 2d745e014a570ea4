#!/usr/bin/env bash
# make bench-put: one client's write beside its floors, in turns, and where its
# microseconds go.
#
# The first part is put.1.ratio_floor, of real raftd as it is. For the second all
# processes run under a shim that notes when they read, write and sync, which
# costs some 10 us a write. Medians do not add up exactly.
#
# Names: raft.put.1.{p50_us,ratio_floor}, raft.floor.{echo_us,sync_us}; the legs
# of a write by way of the follower that answered first, in order:
# raft.put.1.{in,send,to_follower,to_disk,write,sync,from_disk,to_leader,commit,
# out,whole}_us. ROUNDS=N: more of the first part.
set -eu
cd "$(dirname "$0")/../.."
B=$(cd "${B:-build}" && pwd)
# A loopback of our own where root allows: nobody else's ports.
if [ "$(id -u)" = 0 ] && [ -z "${RAFT_ALONE:-}" ]; then
	export RAFT_ALONE=1 B
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --net sh -c 'ip link set lo up; exec bash "$1"' - tests/bench/put.sh
fi
D=$B/bench-put
rm -rf "$D"
mkdir -p "$D/calls"
trap 'rm -rf "$D"' EXIT
"$B/tests/bench/raftload" put "$B/raftfs-raftd" "$D/c" "${ROUNDS:-20}" \
	2>"$D/log" | grep '^figure' || {
	tail -n 20 "$D/log" >&2
	exit 1
}
LD_PRELOAD=$B/calls.so CALLS_DIR=$D/calls "$B/tests/bench/raftload" put \
	"$B/raftfs-raftd" "$D/c" 4 2>"$D/log" >"$D/out" || {
	tail -n 20 "$D/log" >&2
	exit 1
}
read -r driver player leader followers < <(sed -n 's/^pids //p' "$D/out")
for pid in "$driver" "$player" "$leader" ${followers/,/ }; do
	tr -d '\000' <"$D/calls/$pid"
done | sort -n | awk -v driver="$driver" -v player="$player" \
	-v leader="$leader" -v followers="$followers" -f tests/bench/put.awk
