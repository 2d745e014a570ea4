#!/usr/bin/env bash
# "raftfs clock" against real daemons: every question answered, exit codes that
# scripts can use, a history that grows, an SVG that parses. Needs no root.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=$(realpath "${B:-build}")
W=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-clock.XXXXXX")
D=$W/c
PORT=$((12000 + $$ % 8000))
passed=0
failed=0

ok() { # what, status
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "not ok: $1"
	fi
}

clean_up() {
	trap - EXIT
	"$B/raftfs" cluster down --dir "$D" >/dev/null 2>&1
	rm -rf "$W"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}
trap clean_up EXIT

clock() { "$B/raftfs" -d "$D" clock "$@"; }
answers() { # status, then a command: exits so
	local wanted=$1
	shift
	timeout 60 "$@" >"$W/out" 2>&1
	[ $? -eq "$wanted" ] || { cat "$W/out"; return 1; }
}

"$B/raftfs" cluster up --nodes 3 --dir "$D" --base-port "$PORT" \
	>"$W/up" 2>&1 || cat "$W/up"

answers 0 "$B/raftfs" -d "$D" clock wait --bound 20ms --timeout 40s
ok "wait returns once every bound is narrow enough" $?
answers 1 "$B/raftfs" -d "$D" clock wait --bound 1ns --timeout 300ms &&
	grep -q "the bound is .*, not 1 ns" "$W/out"
ok "wait gives up at its timeout, and says what is missing" $?
answers 2 "$B/raftfs" -d "$D" clock wait --bound soon
ok "a time that is none is wrong usage" $?
answers 2 "$B/raftfs" -d "$D" clock sauces
ok "so is a question nobody knows" $?

clock tracking >"$W/out"
[ "$(grep -c '^  quality       SYNCED' "$W/out")" = 3 ] &&
	grep -q 'half the round trip\|age of the measurement\|source.s own' \
		"$W/out"
ok "tracking tells the quality, and what dominates the bound" $?
clock sources | grep -c '^[*+?x-] n[123]' | grep -qx 6
ok "sources has a row for each source of each node" $?
clock sources | grep -q '^\* '
ok "and marks the leader where it is followed" $?
[ "$(clock sourcestats | wc -l)" = 7 ] && [ "$(clock selectdata | wc -l)" = 7 ]
ok "so have sourcestats and selectdata" $?
clock tracking | grep -c '^  corrections   .* of 250.* at most' | grep -qx 3
ok "tracking tells what was corrected, and how much may be" $?
clock tracking | grep -c '^  cost .* packets/s sent, .* % of a CPU' | grep -qx 3
ok "and what it costs" $?
clock selectdata | grep -c '^[*+] .*yes.* -[0-9.]* .s *+[0-9.]* .s' |
	grep -q '^[4-6]$'
ok "selectdata shows intervals with this node's time inside" $?
for wrong in "tracking --bound 1ms" "wait --watch" "sources --svg x" \
	"plot --json" "history --timeout 1s"; do
	# shellcheck disable=SC2086 # words
	answers 2 "$B/raftfs" -d "$D" clock $wrong || break
	[ "$wrong" = "history --timeout 1s" ]
done
ok "an option where it means nothing is wrong usage" $?
clock wait --timeout 5s --json | python3 -c 'import json, sys
sys.exit(len(json.load(sys.stdin)["nodes"]) != 3)'
ok "wait --json prints the status in the end" $?
clock --json sources | python3 -c 'import json, sys
peers = [p for n in json.load(sys.stdin)["nodes"] for p in n["clock"]["peers"]]
sys.exit(not all(p["chosen"] and p["points"] > 0 and p["floor_ns"] > 0
                 for p in peers) or sum(p["refined"] for p in peers) == 0)'
ok "every source is chosen, measured, and told when its answers left" $?
clock --json tracking | python3 -c 'import json, sys
nodes = json.load(sys.stdin)["nodes"]
sys.exit(not all(n["clock"]["quality"] == "SYNCED" for n in nodes))'
ok "--json is JSON" $?
clock --json | python3 -c 'import json, sys
parts = ("delay", "dispersion", "drift", "unslewed")
clocks = [n["clock"] for n in json.load(sys.stdin)["nodes"]]
sys.exit(any(sum(c["part_%s_ns" % p] for p in parts) != c["bound_ns"]
             for c in clocks))'
ok "the parts add up to the bound" $?
timeout 3 "$B/raftfs" -d "$D" clock --watch sources |
	grep -c raw.offset | grep -q '^[23]$'
ok "--watch looks again every second" $?

points() {
	clock history --json | python3 -c 'import json, sys
print(min(len(n["history"]["points"]) for n in json.load(sys.stdin)["nodes"]))'
}
before=$(points)
sleep 3
after=$(points)
[ "$before" -gt 0 ] && [ "$after" -gt "$before" ]
ok "the history grows, on every node ($before to $after points)" $?
clock plot | grep -c '(us)$\|(ppm)$' | grep -qx 27
ok "plot draws three curves a node and three a source" $?
clock plot --svg "$W/clock.svg" && python3 -c 'import sys
from xml.dom import minidom
document = minidom.parse(sys.argv[1])
sys.exit(len(document.getElementsByTagName("polyline")) < 9)' "$W/clock.svg"
ok "and writes an SVG that parses" $?

"$B/raftfs" cluster down --dir "$D" >/dev/null
answers 4 "$B/raftfs" -d "$D" clock wait --timeout 300ms
ok "wait tells a cluster that is not there from one that is not ready" $?
