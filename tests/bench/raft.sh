#!/usr/bin/env bash
# make bench-raft: raftd's log, side by side with Debian's etcd, one after the
# other on this machine: three nodes each on loopback, 256-byte values, every
# write synced, the same disk, the same load program with the same clients.
#
# Ours is three real raftfs-raftd; storaged is played by a map in memory behind
# TCP, as etcd's store is behind its HTTP/JSON gateway, and the cluster clock by
# the host's own. Clients talk to the leader in both. Ours encrypts between the nodes, etcd does
# not. Both see kill -9 and SIGSTOP of the leader: from the signal to the first
# write acknowledged that began after it; 100 and 20 times ours, fewer etcd's.
#
# Names: raft.put.CLIENTS.*, raft.lread.CLIENTS.* (linearizable reads) for 1, 16,
# 64 and 256 clients; raft.kill.*, raft.pause.*, raft.idle.* (one raftd, nobody
# asking); raft.successor.*, raft.limbo.* (reads at the moment a new leader leads,
# with the lease as it comes and with one of 1 s); raft.floor.* (an echo over
# TCP, a durable write). "etcd." and "etcd-tuned." (10 ms heartbeat, 100 ms
# election) in front are its own.
#
# raft.*.ratio_etcd is ours over its, higher is better for ours;
# raft.put.256.ratio_etcd_cpu its CPU per write over ours, likewise;
# raft.put.1.ratio_floor our median over two echoes and a durable write,
# raft.lread.1.ratio_echo over one echo, lower is better.
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
ETCD_KILLS=20
ETCD_PAUSES=5
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

# Median and greatest of microseconds on stdin, in ms: gap_figures NAME
gap_figures() {
	sort -n | awk -v n="$1" '
		{ gap[NR] = $1 / 1000 }
		END { printf "figure %s.median_ms %.1f\n", n,
			gap[int(NR / 2) + 1]
		      printf "figure %s.max_ms %.1f\n", n, gap[NR] }'
}

# etcd_gap kill|pause LEADER: adds to gaps
etcd_gap() {
	local ports='' i
	for i in 0 1 2; do
		[ "$i" = "$2" ] || ports="$ports 774$i"
	done
	# shellcheck disable=SC2086 # two words are meant
	gaps+=("$("$load" etcd-gap "$1" "${pids[$2]}" $ports)")
}

# etcd_faults PREFIX OPTION...: on what data there is.
etcd_faults() {
	local prefix=$1 gaps=() leader
	shift
	for _ in $(seq $ETCD_KILLS); do
		leader=$(etcd_leader)
		sleep 0.3
		etcd_gap kill "$leader"
		wait "${pids[leader]}" 2>/dev/null || true
		start_etcd "$leader" "$@"
	done
	printf '%s\n' "${gaps[@]}" | gap_figures "${prefix}raft.kill"
	gaps=()
	for _ in $(seq $ETCD_PAUSES); do
		leader=$(etcd_leader)
		sleep 0.3
		etcd_gap pause "$leader"
		kill -CONT "${pids[leader]}"
		sleep 1
	done
	printf '%s\n' "${gaps[@]}" | gap_figures "${prefix}raft.pause"
}

# etcd_all PREFIX OPTION...
etcd_all() {
	local i leader
	for i in 0 1 2; do start_etcd "$i" "${@:2}"; done
	leader=$(etcd_leader)
	"$load" etcd-load "$1" "774$leader" "${pids[@]}"
	etcd_faults "$@"
	stop_etcd
	rm -rf "$D"/etcd[012]
}

"$load" bench "$B/raftfs-raftd" "$D/ours" 2>"$D/ours.log" | tee "$D/figures"
"$load" limbo "$B/raftfs-raftd" "$D/limbo" 2>"$D/limbo.log" |
	tee -a "$D/figures"
# Not piped: the functions must change our pids, not those of a subshell.
etcd_all etcd. >"$D/etcd"
tee -a "$D/figures" <"$D/etcd"
etcd_all etcd-tuned. --heartbeat-interval 10 --election-timeout 100 >"$D/etcd"
tee -a "$D/figures" <"$D/etcd"

awk '
	{ value[$2] = $3 }
	function ratio(name, a, b) {
		if (b > 0)
			printf "figure %s %.2f\n", name, a / b
	}
	function of(name) { return value[name] }
	END {
		for (n = 1; n <= 256; n = n == 1 ? 16 : n * 4) {
			put = "raft.put." n ".ops_s"
			get = "raft.lread." n ".ops_s"
			ratio("raft.put." n ".ratio_etcd", of(put),
				of("etcd." put))
			ratio("raft.lread." n ".ratio_etcd", of(get),
				of("etcd." get))
		}
		cpu = "raft.put.256.cpu_us_per_op"
		ratio("raft.put.256.ratio_etcd_cpu", of("etcd." cpu), of(cpu))
		cpu = "raft.lread.64.cpu_us_per_op"
		ratio("raft.lread.64.ratio_etcd_cpu", of("etcd." cpu), of(cpu))
		echo_us = of("raft.floor.echo_us")
		ratio("raft.put.1.ratio_floor", of("raft.put.1.p50_us"),
			2 * echo_us + of("raft.floor.sync_us"))
		ratio("raft.lread.1.ratio_echo", of("raft.lread.1.p50_us"),
			echo_us)
		gap = "raft.kill.median_ms"
		ratio("raft.kill.ratio_etcd", of("etcd." gap), of(gap))
		ratio("raft.kill.ratio_etcd_tuned", of("etcd-tuned." gap),
			of(gap))
		gap = "raft.pause.median_ms"
		ratio("raft.pause.ratio_etcd", of("etcd." gap), of(gap))
		ratio("raft.pause.ratio_etcd_tuned", of("etcd-tuned." gap),
			of(gap))
	}' "$D/figures"
