#!/usr/bin/env bash
# raftd alone, real processes with played neighbours: leaders and whole clusters
# killed, logs damaged, configurations that differ, nodes long away.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
# A loopback of our own where root allows: nobody else's ports.
if [ "$(id -u)" = 0 ] && [ -z "${RAFT_ALONE:-}" ]; then
	export RAFT_ALONE=1
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --net sh -c 'ip link set lo up; exec bash "$1"' - \
		"tests/system/raftd_test.sh"
fi
D=$(mktemp -d /tmp/raftfs-raftd-XXXXXX)
trap 'rm -rf "$D"' EXIT
"$B/tests/bench/raftload" check "$B/raftfs-raftd" "$D/c" 2>"$D/log"
status=$?
[ $status = 0 ] || tail -n 40 "$D/log"
exit $status
