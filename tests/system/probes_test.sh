#!/usr/bin/env bash
# The eBPF probes count what the daemons do, and nothing breaks without them.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

pins=/sys/fs/bpf/raftfs-v1
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
rfs 1 put "$SELF" /file
ok "a file goes in" $?

if grep -q 'probes are off\|probe .* is off' "$W/n1/log"; then
	echo "off here: $(grep -m 1 'probes\? .*off' "$W/n1/log")"
	exit
fi

pins_of() { # node: its pins go by the name of its cgroup
	local own
	own=$(grep -o "taking .*/raftfs/n$1-[0-9]*" "$W/n$1/log" | tail -n 1)
	echo "$pins/$(basename "${own:-n$1}")"
}
counts() { # node, map, field: the sum over all rows
	"$bpftool" -j map dump pinned "$(pins_of "$1")/$2" | python3 -c "
import json, sys
print(sum(row['formatted']['value']['$3'] for row in json.load(sys.stdin)))"
}
positive() { [ "$(counts "$@")" -gt 0 ]; }
for n in 1 2 3; do
	wait_until 20 positive "$n" rtt_sync replies
	ok "n$n: exchanges with peers are counted" $?
	wait_until 20 positive "$n" rtt_sync served
	ok "n$n: and those it served" $?
	wait_until 20 positive "$n" rtt_tcp count
	ok "n$n: and round trips of its connections" $?
done
rows=$("$bpftool" -j map dump pinned "$(pins_of 1)/rtt_sync" | python3 -c "
import json, sys
print(' '.join(sorted(r['formatted']['key']['peer']
	for r in json.load(sys.stdin))))")
[ "$rows" = "n2 n3" ]
ok "rows carry the peers' names" $?

# The kernel's own figure of a link, which raftd asks for, and the probe's, which
# is of smoothed samples: none of those is below the least one.
agree() {
	status_of 1 >"$W/status" &&
		"$bpftool" -j map dump pinned "$(pins_of 1)/rtt_tcp" >"$W/rows" &&
		python3 - "$W/status" "$W/rows" <<-'EOF'
			import json, sys

			node = json.load(open(sys.argv[1]))
			node = node["nodes"][0] if "nodes" in node else node
			least = {p["name"]: p["tcp_rtt_ns"]
			         for p in node["raft"]["peers"] if p["node"] != 1}
			rows = {r["formatted"]["key"]["peer"]: r["formatted"]["value"]
			        for r in json.load(open(sys.argv[2]))
			        if "RAFTD" in str(r["formatted"]["key"]["daemon"])}
			assert len(least) == 2 and set(least) <= set(rows), (least, rows)
			for name, ns in least.items():
			    assert 0 < ns <= 1000 * (rows[name]["min_us"] + 1), (name, ns)
		EOF
}
wait_until 20 agree
ok "raftd and the probe agree about its links" $?
