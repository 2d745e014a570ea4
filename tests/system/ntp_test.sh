#!/usr/bin/env bash
# NTP both ways. Stock chronyd and ntpdate follow a node that serves NTP; then
# nodes follow a chronyd, with a lying server beside it. No chronyd here ever
# touches a clock (-x).
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# Installing chrony would replace whatever keeps a real machine's clock.
if ! command -v chronyd >/dev/null && [ -d /run/systemd/system ]; then
	echo "off: $TEST needs chrony, and will not replace this machine's time"
	exit 0
fi
sh tests/deps.sh chrony ntpsec-ntpdate || exit 1
NTP=tests/system/ntp.py
pids=()
stop_pids() {
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	pids=()
	wait
}
leave() {
	local status=$?
	stop_pids
	(exit "$status") # what clean_up looks at
	clean_up
}
trap leave EXIT

configure() { # N time_sync-lines
	extra_conf="time_sync {
		min_peers = 2
		$2
	}"
	node_conf "$1" >"$W/n$1/raftfs.conf"
}
start_alone() { # N...
	local n
	for n in "$@"; do
		(exec nsenter --net="/run/netns/$NS-n$n" \
			"$B/raftfs-timesyncd" --foreground \
			--config "$W/n$n/raftfs.conf") >>"$W/n$n/log" 2>&1 &
		pids+=($!)
	done
}
start_chronyd() { # N config-lines...
	local n=$1
	shift
	mkdir -p "$W/chrony$n" && chmod 750 "$W/chrony$n"
	printf '%s\n' "pidfile $W/chrony$n/pid" "cmdport 0" \
		"bindcmdaddress $W/chrony$n/socket" "$@" \
		>"$W/chrony$n/conf"
	(exec nsenter --net="/run/netns/$NS-n$n" chronyd -x -d -u root \
		-f "$W/chrony$n/conf") >"$W/chrony$n/log" 2>&1 &
	pids+=($!)
}
chrony() { # N command...
	local n=$1
	shift
	timeout 5 chronyc -n -c -h "$W/chrony$n/socket" "$@"
}
query() { # FROM SERVER
	in_node "$1" python3 "$NTP" query "10.77.7.$2"
}
# leap, stratum, |offset| and root distance of an answer, as awk sees them
answers() { # FROM SERVER awk-condition
	query "$1" "$2" | awk "{ leap = \$1; stratum = \$2
		offset = \$3 < 0 ? -\$3 : \$3; distance = \$4
		exit !($3) }"
}

world 4

# -- serving: nodes 1 to 3, client on host 4 ----------------------------------
for n in 1 2 3; do
	configure "$n" 'serve_ntp = 123'
done
start_alone 1
sleep 1
answers 4 1 'leap == 3 && stratum == 0'
ok "without a clock the answer says not synchronised" $?
start_alone 2 3
wait_until 20 answers 4 1 'leap == 0 && stratum == 10'
ok "the carrier answers as a local reference of stratum 10" $?
wait_until 20 answers 4 2 'leap == 0 && stratum == 11'
ok "a node that follows it is one stratum below" $?
answers 4 2 'offset < 0.05 && distance > 0 && distance < 0.05'
ok "offset and root distance are small" $?

start_chronyd 4 'server 10.77.7.1 iburst minpoll 0 maxpoll 1' \
	'server 10.77.7.2 iburst minpoll 0 maxpoll 1'
selected() {
	chrony 4 sources | grep -q '^^,\*,10\.77\.7\.[12],1[01],'
}
wait_until 30 selected
ok "chronyd selects a node" $?
both() { [ "$(chrony 4 sources | grep -c '^^,[*+],')" -eq 2 ]; }
wait_until 20 both
ok "chronyd finds both nodes good" $?
chrony 4 tracking | awk -F, '{ o = $5 < 0 ? -$5 : $5; exit !(o < 0.05) }'
ok "chronyd is within 50 ms of its host, which is the nodes'" $?
in_node 4 ntpdate -q 10.77.7.1 >"$W/ntpdate" 2>&1
ok "ntpdate is content" $?
tail -n 1 "$W/ntpdate"
grep -q '10\.77\.7\.1.*s10' "$W/ntpdate"
ok "ntpdate sees stratum 10" $?

for mode in 1 6 7; do
	[ "$(in_node 4 python3 "$NTP" mode 10.77.7.3 "$mode")" = silence ]
	ok "a packet of mode $mode is met with silence" $?
done
count=$(in_node 4 python3 "$NTP" flood 10.77.7.3 300)
[ "$count" -ge 8 ] && [ "$count" -le 24 ]
ok "of 300 questions at once a few are answered ($count)" $?
answers 2 3 'leap == 0'
ok "and other hosts are still served" $?
stop_pids

# -- following: chronyd on host 4, a liar and an honest server on host 3 -------
start_chronyd 4 'local stratum 3' 'allow all'
start_server() { # port offset
	(exec nsenter --net="/run/netns/$NS-n3" python3 "$NTP" serve \
		10.77.7.3 "$1" "$2") &
	pids+=($!)
}
start_server 123 10
start_server 1123 0
for n in 1 2; do
	configure "$n" 'reference = "ntp"
		servers = "10.77.7.4 10.77.7.3 10.77.7.3:1123"
		serve_ntp = 123'
	: >"$W/n$n/log"
done
wait_until 20 answers 1 4 'leap == 0 && stratum == 3'
ok "chronyd serves" $?
answers 1 3 'offset > 9'
ok "the liar lies" $?
start_alone 1 2
for n in 1 2; do
	wait_until 20 answers 4 "$n" 'leap == 0 && stratum == 4'
	ok "node $n follows chronyd, one stratum below" $?
	# a script's own readings are good to a millisecond or so, mostly
	wait_until 20 answers 4 "$n" 'offset < 0.005 && offset < distance + 0.002'
	ok "UTC is within what it claims" $?
	query 4 "$n"
	grep -q 'node 2000002 is a falseticker' "$W/n$n/log"
	ok "node $n names the liar" $?
done
stop_pids

# -- the host's clock: what the kernel says of it decides ----------------------
configure 1 'reference = "system"
	serve_ntp = 123'
sed -i '/^node "n[234]"/,/^}/d' "$W/n1/raftfs.conf"
start_alone 1
sleep 2
if python3 -c 'import ctypes, sys
t = (ctypes.c_long * 32)()
sys.exit(ctypes.CDLL(None).adjtimex(t) == 5 or t[3] >= 1000000)'; then
	answers 2 1 'leap == 0 && offset < distance + 0.002'
	ok "a synchronised host is served, within the kernel's maxerror" $?
else
	answers 2 1 'leap == 3'
	ok "a host that is not synchronised is not served" $?
fi
