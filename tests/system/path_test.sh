#!/usr/bin/env bash
# Somebody delays time packets alone, from their first on: beside TCP it shows,
# is named and logged, and the clock goes the other way round.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -e /dev/net/tun ]; then
	echo "off: no /dev/net/tun to delay packets by"
	exit
fi
ways=()
trap 'kill "${ways[@]}" 2>/dev/null; clean_up' EXIT

delay() { # N FROM MS: what FROM's timesyncd sends N
	(exec nsenter --net="/run/netns/$NS-n$1" "$B/tests/system/delay" \
		slow0 "$3") >"$W/delay$1" &
	ways+=($!) # exec'ed: its own pid
	wait_until 5 grep -q ready "$W/delay$1" || return 1
	in_node "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.slow0.rp_filter=0
	in_node "$1" nft -f - <<-EOF
		table netdev slow {
			chain in {
				type filter hook ingress device "eth0" priority 0;
				ip saddr 10.77.7.$2 udp sport 7103 fwd to "slow0"
			}
		}
	EOF
}

row() { # N SOURCE FIELD: of n's view of that source
	"$B/raftfs" -c "$W/n$1/raftfs.conf" clock sources --json | python3 -c "
import json, sys
for node in json.load(sys.stdin)['nodes']:
	if node['name'] != 'n$1':
		continue
	for peer in node['clock']['peers']:
		if peer['name'] == '$2':
			print(peer.get('$3'))"
}
in_doubt() { [ "$(row "$1" "$2" doubtful)" = True ]; }
trusted() { [ "$(row "$1" "$2" doubtful)" = False ]; }
sees_tcp() { [ "$(row "$1" "$2" tcp_rtt_ns)" -gt 0 ]; }
synced() {
	"$B/raftfs" -c "$W/n$1/raftfs.conf" clock wait --timeout 1s
}

world 3
delay 2 1 8
ok "time packets of n1 reach n2 8 ms late" $?
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
if wait_until 5 grep -q 'probes are off\|probe .* is off' "$W/n2/log"; then
	echo "off here: $(grep -m 1 'probes\? .*off' "$W/n2/log")"
	exit
fi
for n in 1 2 3; do
	wait_until 30 synced "$n"
	ok "n$n is synchronised" $?
done
# The leader asks once a minute only; the others every few seconds.
if [ "$(leader_by 1)" = 2 ]; then
	"$B/raftfs" -c "$W/n1/raftfs.conf" leader transfer n3
	ok "n3 leads instead of n2" $?
fi
wait_until 30 sees_tcp 2 n1
ok "n2 sees TCP's round trips to n1" $?
wait_until 30 in_doubt 2 n1
ok "and doubts the way of its time packets" $?
grep -q 'node 1: time packets take .* TCP takes .*in doubt' "$W/n2/log"
ok "which its log says" $?
"$B/raftfs" -c "$W/n2/raftfs.conf" clock sources | tee "$W/sources" |
	grep -q 'n1 .*way in doubt: TCP takes'
ok "and raftfs clock sources" $?
"$B/raftfs" -c "$W/n2/raftfs.conf" clock selectdata |
	grep -q 'n1 .*yes.*way in doubt'
ok "and selectdata, where its vote still counts" $?
trusted 2 n3 && trusted 3 n1
ok "no other way is doubted" $?
timeout 30 "$B/tests/system/overlap" "$W/n1/run/clock.page" 0 \
	"$W/n2/run/clock.page" 0 "$W/n3/run/clock.page" 0 >"$W/overlap"
ok "all three clocks agree within their bounds" $?

in_node 2 nft delete table netdev slow
wait_until 60 trusted 2 n1
ok "with the delay gone the way is trusted again" $?
wait_until 5 grep -q 'node 1: time packets are no longer far slower' "$W/n2/log"
ok "which the log says, with how long it was" $?
