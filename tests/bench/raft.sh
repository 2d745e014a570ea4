#!/usr/bin/env bash
# make bench-raft: raftd's log, side by side with Debian's etcd, one after the
# other on this machine: three nodes each on loopback, 256-byte values, every
# write synced, the same disk, the same load program with the same clients.
#
# Ours is three real raftfs-raftd; storaged is played by a map in memory behind
# TCP, as etcd's store is behind its HTTP/JSON gateway, and the cluster clock by
# the host's own. Clients talk to the leader in both. Both see 20 kill -9 of the
# leader: from the signal to the first write acknowledged that began after it.
#
# Names: raft.put.CLIENTS.*, raft.lread.64.* (linearizable reads), raft.kill.*,
# raft.idle.* (one raftd, nobody asking);
# "etcd." and "etcd-tuned." (10 ms heartbeat, 100 ms election) in front are its
# own; raft.*.ratio_etcd is ours over its, higher is better for ours.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
# A loopback of our own where root allows: nobody else's ports.
if [ "$(id -u)" = 0 ] && [ -z "${RAFT_ALONE:-}" ]; then
	export RAFT_ALONE=1
	sh tests/deps.sh etcd-server etcd-client
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --net sh -c 'ip link set lo up; exec bash "$1"' - tests/bench/raft.sh
fi
D=$B/bench-raft
KILLS=20
sh tests/deps.sh etcd-server etcd-client
load=$B/tests/bench/raftload
mkdir -p "$D"
D=$(cd "$D" && pwd)
pids=(0 0 0)

stop_etcd() {
	for i in 0 1 2; do
		if [ "${pids[i]}" != 0 ]; then
			kill -9 "${pids[i]}" 2>/dev/null || true
			wait "${pids[i]}" 2>/dev/null || true
		fi
		pids[i]=0
	done
}
trap 'stop_etcd; rm -rf "$D"' EXIT

cluster=e0=http://127.0.0.1:7750,e1=http://127.0.0.1:7751,e2=http://127.0.0.1:7752
endpoints=127.0.0.1:7740,127.0.0.1:7741,127.0.0.1:7742

# start_etcd INDEX OPTION...
start_etcd() {
	local i=$1
	shift
	etcd --name "e$i" --data-dir "$D/etcd$i" \
		--listen-client-urls "http://127.0.0.1:774$i" \
		--advertise-client-urls "http://127.0.0.1:774$i" \
		--listen-peer-urls "http://127.0.0.1:775$i" \
		--initial-advertise-peer-urls "http://127.0.0.1:775$i" \
		--initial-cluster "$cluster" --initial-cluster-state new \
		--log-level error "$@" >>"$D/etcd$i.log" 2>&1 &
	pids[i]=$!
}

# Waits until all three answer and agree on one leader; prints its index.
etcd_leader() {
	local i table
	for _ in $(seq 300); do
		table=$(ETCDCTL_API=3 etcdctl --endpoints "$endpoints" \
			--command-timeout 1s endpoint status 2>/dev/null) || {
			sleep 0.1
			continue
		}
		for i in 0 1 2; do
			if echo "$table" | grep "774$i" | grep -q ', true, false,'; then
				echo "$i"
				return
			fi
		done
		sleep 0.1
	done
	echo "etcd elected no leader" >&2
	exit 1
}

# etcd_kills PREFIX OPTION...: in fresh processes on what data there is.
etcd_kills() {
	local prefix=$1 gaps=() leader ports i
	shift
	for _ in $(seq $KILLS); do
		leader=$(etcd_leader)
		sleep 0.3
		ports=
		for i in 0 1 2; do
			[ "$i" = "$leader" ] || ports="$ports 774$i"
		done
		# shellcheck disable=SC2086 # two words are meant
		gaps+=("$("$load" etcd-gap "${pids[leader]}" $ports)")
		wait "${pids[leader]}" 2>/dev/null || true
		start_etcd "$leader" "$@"
	done
	printf '%s\n' "${gaps[@]}" | sort -n | awk -v p="$prefix" '
		{ gap[NR] = $1 / 1000 }
		END { printf "figure %sraft.kill.median_ms %.1f\n", p,
			gap[int(NR / 2) + 1]
		      printf "figure %sraft.kill.max_ms %.1f\n", p, gap[NR] }'
}

"$load" bench "$B/raftfs-raftd" "$D/ours" 2>"$D/ours.log" | tee "$D/figures"

for i in 0 1 2; do start_etcd "$i"; done
leader=$(etcd_leader)
"$load" etcd-load "774$leader" | tee -a "$D/figures"
# Not piped: the function must change our pids, not those of a subshell.
etcd_kills etcd. >"$D/kills"
tee -a "$D/figures" <"$D/kills"
stop_etcd
tuned="--heartbeat-interval 10 --election-timeout 100"
# shellcheck disable=SC2086 # options are words
for i in 0 1 2; do start_etcd "$i" $tuned; done
# shellcheck disable=SC2086
etcd_kills etcd-tuned. $tuned >"$D/kills"
tee -a "$D/figures" <"$D/kills"

awk '
	{ value[$2] = $3 }
	function ratio(name, ours, theirs) {
		printf "figure %s %.2f\n", name, ours / theirs
	}
	END {
		for (n = 1; n <= 64; n = n == 1 ? 16 : n * 4)
			ratio("raft.put." n ".ratio_etcd",
				value["raft.put." n ".ops_s"],
				value["etcd.raft.put." n ".ops_s"])
		ratio("raft.lread.64.ratio_etcd", value["raft.lread.64.ops_s"],
			value["etcd.raft.lread.64.ops_s"])
		ratio("raft.kill.ratio_etcd", value["etcd.raft.kill.median_ms"],
			value["raft.kill.median_ms"])
		ratio("raft.kill.ratio_etcd_tuned",
			value["etcd-tuned.raft.kill.median_ms"],
			value["raft.kill.median_ms"])
	}' "$D/figures"
