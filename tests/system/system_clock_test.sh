#!/usr/bin/env bash
# reference = "system": the kernel's clock, kept by something else, is the
# source, its maxerror in every bound; a host that nothing keeps goes by its
# peers, and so does one whose clock they contradict.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='time_sync {
	reference = "system"
	target_bound = 5ms
}'
world 3
for n in 1 2 3; do
	echo 2000 >"$W/n$n.kernel"
	prefix[$n]="env LD_PRELOAD=$B/kerneltime.so:$B/skew.so"
	prefix[$n]+=" KERNELTIME_FILE=$W/n$n.kernel"
done
prefix[3]+=" SKEW_WALL_NS=0"
start 1 2 3

clock() { # N, a Python expression over the node's clock: c, and p by name
	timeout 10 "$B/raftfs" -c "$W/n$1/raftfs.conf" clock --json |
		python3 -c 'import json, sys
for node in json.load(sys.stdin)["nodes"]:
    if node["name"] == sys.argv[1]:
        c = node["clock"]
p = {peer["name"]: peer for peer in c["peers"]}
sys.exit(not eval(" ".join(sys.argv[2].split())))' "n$1" "$2"
}

for n in 1 2 3; do
	wait_until 30 clock $n 'c["quality"] == "SYNCED"'
	ok "the clock of n$n is SYNCED to its kernel's" $?
	clock $n 'c["epoch"] == 2**62 and p["system"]["truechimer"]'
	ok "which is UTC, and the source it follows" $?
	clock $n 'c["bound_ns"] >= 2000000 and
		2000000 <= c["part_dispersion_ns"] < 2100000'
	ok "with the kernel's maxerror in its bound" $?
done
"$B/tests/system/overlap" "$W/n1/run/clock.page" 0 \
	"$W/n2/run/clock.page" 0 "$W/n3/run/clock.page" 0
ok "the published intervals of all three agree" $?
is_utc() { # N: it was read between two readings of this host's clock
	clock "$1" "$(date +%s%N) - 10**9 < c['cluster_ns'] <
		__import__('time').time_ns() + 10**9"
}
is_utc 1 && is_utc 2 && is_utc 3
ok "on UTC" $?
wait_until 60 serving && echo a | rfs 1 put - /a && rfs 2 ls / | grep -q a
ok "and files are served by it" $?

# The kernel says a smaller error: a narrower bound, with the next look at it,
# which target_bound puts some 15 s apart.
echo 300 >"$W/n1.kernel"
wait_until 40 clock 1 '300000 <= c["part_dispersion_ns"] < 400000'
ok "a smaller maxerror narrows the bound" $?

# Nothing keeps the clock of n2 any more: its peers' word is as good.
echo -1 >"$W/n2.kernel"
wait_until 40 clock 2 'not p["system"]["truechimer"]'
ok "a kernel that nothing keeps is no source" $?
clock 2 'c["quality"] == "SYNCED" and p["n1"]["truechimer"] and
	p["n3"]["truechimer"] and c["bound_ns"] > 0'
ok "its peers are" $?
echo 2000 >"$W/n2.kernel"
wait_until 40 clock 2 'p["system"]["truechimer"]'
ok "and it is one again when something keeps it" $?

# n3 comes back with a clock that is 50 ms off and says 0.1 ms. Behind, so that
# the kernel's real stamps are in its future and not used.
stop 3
prefix[3]+=" SKEW_WALL_NS=-50000000"
echo 100 >"$W/n3.kernel"
start 3
wait_until 40 clock 3 'not p["system"]["truechimer"] and
	"most nodes contradict" in p["system"]["why"]'
ok "a host whose clock lies is told so by its peers" $?
wait_until 40 clock 3 'c["quality"] == "SYNCED" and p["n1"]["truechimer"]'
ok "and follows them" $?
"$B/tests/system/overlap" "$W/n1/run/clock.page" 0 \
	"$W/n2/run/clock.page" 0 "$W/n3/run/clock.page" 0
ok "the published intervals of all three agree" $?
