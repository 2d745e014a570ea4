#!/usr/bin/env bash
# Once warm, raftd allocates nothing for a write or a read: counted in the real
# program, by a shim under its allocator.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=$(cd "${B:-build}" && pwd)
# A loopback of our own where root allows: nobody else's ports.
if [ "$(id -u)" = 0 ] && [ -z "${RAFT_ALONE:-}" ]; then
	export RAFT_ALONE=1 B
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --net sh -c 'ip link set lo up; exec bash "$1"' - \
		"tests/system/allocations_test.sh"
fi
D=$(mktemp -d /tmp/raftfs-allocations-XXXXXX)
trap 'rm -rf "$D"' EXIT
mkdir "$D/counts"
LD_PRELOAD=$B/allocations.so ALLOCATIONS_DIR=$D/counts \
	"$B/tests/bench/raftload" allocations "$B/raftfs-raftd" "$D/c" \
	"$D/counts" 2>"$D/log"
status=$?
[ $status = 0 ] || tail -n 40 "$D/log"
exit $status
