#!/usr/bin/env bash
# Clocks that differ: one node's raw clock runs fast and its wall clock is an
# hour off. The cluster still agrees on time within the bounds it publishes,
# and change times rise in commit order whoever leads.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
prefix[2]="env LD_PRELOAD=$B/skew.so SKEW_RAW_PPM=80 SKEW_WALL_NS=3600000000000"
prefix[3]="env LD_PRELOAD=$B/skew.so SKEW_RAW_PPM=-80 SKEW_WALL_NS=-600000000000"
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
synced() { status_of "$1" | grep -q '"quality": *"SYNCED"'; }
for n in 1 2 3; do
	wait_until 30 synced "$n"
	ok "the clock of n$n is SYNCED" $?
done

# At one instant every node's interval contains the same cluster time.
"$B/tests/system/overlap" "$W/n1/run/clock.page" 0 \
	"$W/n2/run/clock.page" 80 "$W/n3/run/clock.page" -80
ok "the published intervals of all three agree" $?

stamps=$W/stamps
: >"$stamps"
for round in 1 2 3 4 5 6; do
	n=$((round % 3 + 1))
	echo "$round" | rfs "$n" put - "/stamp$round"
	ok "write $round through n$n" $?
	rfs "$n" stat --json "/stamp$round" |
		grep -o '"ctime_ns": *[0-9]*' | grep -o '[0-9]*$' >>"$stamps"
	if [ "$round" = 2 ] || [ "$round" = 4 ]; then
		leader=$(await_leader 1)
		[ -n "$leader" ] && kill_daemon "$leader" raftd
		wait_until 20 rfs 1 ls /
	fi
done
[ "$(wc -l <"$stamps")" -eq 6 ] && sort -n -u "$stamps" | cmp - "$stamps"
ok "change times rise strictly, across leaders with different clocks" $?
