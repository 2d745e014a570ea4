#!/usr/bin/env bash
# make bench-clock: what a reading costs, and how far real nodes are apart.
#
# Starts a three-node cluster on loopback, unless PAGES names the clock pages
# of nodes that run already, and looks at their pages for ten seconds. All
# nodes of one host share one raw clock, so their true difference is known.
#
# Names: clock.read.portable.ratio (interval read over clock_gettime(REALTIME),
# alternating, medians; ".changing": the page rewritten 1000 times a second);
# clock.sim.SCENARIO.{rms_us,max_us,violations,bound_mean_us,packets_per_s,
# recover_s,usable_s}: simulated networks (raftfs-clocksim), in which nodes do not
# share a clock; packets and seconds of simulated time, a node.
# clock.pairwise.{error_us,error_max_us,bound_us,violations}.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
PAGES=${PAGES:-}
D=

stop() {
	[ -z "$D" ] || "$B/raftfs" cluster down --dir "$D" >/dev/null || true
	[ -z "$D" ] || rm -rf "$D"
}
trap stop EXIT

if [ -z "$PAGES" ]; then
	D=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-bench-clock.XXXXXX")
	"$B/raftfs" cluster up --nodes 3 --dir "$D" --base-port 7960 >/dev/null
	sleep 15 # drifts are learnt from ten exchanges
	PAGES=$(find "$D" -name clock.page | sort)
fi
# shellcheck disable=SC2086 # one word per page
"$B/tests/bench/clock" $PAGES
"$B/raftfs-clocksim" --seeds 3 --figures
