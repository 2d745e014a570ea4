#!/usr/bin/env bash
# make bench-clock: what a reading costs, and how far real nodes are apart.
#
# Starts a three-node cluster on loopback, unless PAGES names the clock pages
# of nodes that run already, and looks at their pages for ten seconds. All
# nodes of one host share one raw clock, so their true difference is known.
#
# Names: clock.read.{tsc,portable,clockbound_work}.ratio: an interval read, or
# the work of a ClockBound reader, over clock_gettime(REALTIME), alternating,
# median; also .2threads, .changing (the page rewritten 1000 times a second) and
# both. Without a usable TSC one line says so, and tsc has no figure.
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
