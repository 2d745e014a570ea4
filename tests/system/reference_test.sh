#!/usr/bin/env bash
# A whole cluster whose time is UTC: every node follows a chronyd (-x: it
# touches no clock), files carry its time, leases hold, also after a new leader.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# Installing chrony would replace whatever keeps a real machine's clock.
if ! command -v chronyd >/dev/null && [ -d /run/systemd/system ]; then
	echo "off: $TEST needs chrony, and will not replace this machine's time"
	exit 0
fi
sh tests/deps.sh chrony || exit 1

extra_conf='time_sync {
	reference = "ntp"
	servers = "10.77.7.3"
}'
world 3
mkdir -p "$W/chrony" && chmod 750 "$W/chrony"
printf '%s\n' "pidfile $W/chrony/pid" 'cmdport 0' \
	"bindcmdaddress $W/chrony/socket" 'local stratum 3' 'allow all' \
	>"$W/chrony/conf"
(exec nsenter --net="/run/netns/$NS-n3" chronyd -x -d -u root \
	-f "$W/chrony/conf") >"$W/chrony/log" 2>&1 &
chronyd_pid=$!
leave() {
	local status=$?
	kill "$chronyd_pid" 2>/dev/null
	wait "$chronyd_pid" 2>/dev/null
	(exit "$status") # what clean_up looks at
	clean_up
}
trap leave EXIT

start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
synced() { status_of "$1" | grep -q '"quality": *"SYNCED"'; }
for n in 1 2 3; do
	wait_until 30 synced "$n"
	ok "the clock of n$n is SYNCED" $?
done

# Change times are UTC, to what a script can tell.
is_now() { # N path
	local then_ns
	then_ns=$(rfs "$1" stat --json "$2" | grep -o '"ctime_ns": *[0-9]*' |
		grep -o '[0-9]*$')
	[ -n "$then_ns" ] || return 1
	awk -v now="$(date +%s.%N)" -v then="$then_ns" \
		'BEGIN { d = now - then / 1e9; exit !(d > -0.1 && d < 2) }'
}
# An idle lease lapses, and the first read after that renews it.
reads_by_the_lease() { # path
	local leader before
	leader=$(leader_by 1) || return 1
	before=$(reads_by_lease "$leader")
	rfs "$leader" cat "$1" >/dev/null && rfs "$leader" cat "$1" >/dev/null &&
		[ "$(reads_by_lease "$leader")" -gt "$before" ]
}
echo a | rfs 1 put - /a && is_now 2 /a
ok "a file carries UTC" $?
wait_until 10 reads_by_the_lease /a
ok "the leader reads by its lease" $?
kill_daemon "$(leader_by 1)" raftd
wait_until 20 rfs 1 ls /
echo b | rfs 1 put - /b && is_now 2 /b
ok "so does one written under the next leader" $?
wait_until 10 reads_by_the_lease /b
ok "which reads by its lease too" $?
