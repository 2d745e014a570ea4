#!/usr/bin/env bash
# make bench-storm [MINUTES=10]: nothing fails, and the host is too busy for
# everybody: how many elections does that cost?
#
# Three real raftfs-raftd on loopback, their neighbours played (raft.sh), with
# the priority that a supervisor gives them, beside twice as many busy loops as
# cores and as many loops of synced writes to the same disk. The busy loops come
# and go, half a minute each, so that calm is unlearnt again and again. One
# client writes 50 times a second at most.
#
# Debian's etcd goes through the same storm at the same time, as it comes and
# ("etcd-tuned.") with 10 ms heartbeats and elections after 100 ms; both are at
# the same priority as ours. Without it: ETCD=.
#
# Names: raft.storm.elections (none is right), raft.storm.minutes,
# raft.storm.silence_max_ms (longest a follower heard nothing of its leader),
# raft.storm.stall_max_ms (longest turn of a loop), raft.storm.hurried_s (turns
# that were lent real-time priority), raft.storm.host_late_max_ms (how long a
# thread of high real-time priority waited: a machine below this one, if it is
# virtual, that gives it no core keeps a leader silent whatever raftd does),
# raft.storm.writes_s, raft.storm.slowest_ms.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
MINUTES=${MINUTES:-10}
ETCD=${ETCD-etcd etcd-tuned}
# A loopback of our own where root allows: nobody else's ports.
if [ "$(id -u)" = 0 ] && [ -z "${STORM_ALONE:-}" ]; then
	export STORM_ALONE=1 B MINUTES ETCD
	[ -z "$ETCD" ] || sh tests/deps.sh etcd-server etcd-client
	# shellcheck disable=SC2016 # for the inner shell
	exec setsid -w unshare --net sh -c 'ip link set lo up; exec bash "$1"' - tests/bench/storm.sh
fi
load=$B/tests/bench/raftload
seconds=$((MINUTES * 60))
D=$B/bench-storm
rm -rf "$D"
mkdir -p "$D"
D=$(cd "$D" && pwd)
servers=() blowing=

calm() {
	[ -z "$blowing" ] || kill "$blowing" || true # its trap ends the rest
	blowing=
}

end() {
	calm
	[ ${#servers[@]} = 0 ] || kill -9 "${servers[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$D"
}
trap end EXIT

# ---- the storm ----

# A program of its own, in a session of its own as other people's work is (where
# the scheduler groups by session, priorities count only within one): the busy
# loops come and go, the others stay. Its children die with it.
# shellcheck disable=SC2016 # expanded by the shell that runs it
storm='
	busy() { while :; do :; done; }
	syncs() {
		while :; do
			dd if=/dev/zero of="$1" bs=16k count=200 oflag=dsync 2>/dev/null
		done
	}
	trap "trap : TERM; kill 0; exit" TERM
	for i in $(seq "$(nproc)"); do
		syncs "$0/hog$i" &
	done
	while :; do
		hogs=
		for i in $(seq $((2 * $(nproc)))); do
			busy &
			hogs="$hogs $!"
		done
		sleep 30 & wait $!
		kill -9 $hogs
		wait $hogs 2>/dev/null
		sleep 30 & wait $!
	done'

# ---- etcd ----

# start_etcd NAME PORT OPTION...: three nodes from that port on.
start_etcd() {
	local name=$1 port=$2 i cluster='' sep=''
	shift 2
	for i in 0 1 2; do
		cluster=$cluster${sep}e$i=http://127.0.0.1:$((port + 10 + i))
		sep=,
	done
	for i in 0 1 2; do
		etcd --name "e$i" --data-dir "$D/$name$i" \
			--listen-client-urls "http://127.0.0.1:$((port + i))" \
			--advertise-client-urls "http://127.0.0.1:$((port + i))" \
			--listen-peer-urls "http://127.0.0.1:$((port + 10 + i))" \
			--initial-advertise-peer-urls "http://127.0.0.1:$((port + 10 + i))" \
			--initial-cluster "$cluster" --initial-cluster-state new \
			--log-level error "$@" >>"$D/$name$i.log" 2>&1 &
		servers+=($!)
		renice -n -10 -p $! >/dev/null 2>&1 || true
	done
}

# The highest term of the three from that port on.
etcd_term() {
	local i
	for i in 0 1 2; do
		ETCDCTL_API=3 etcdctl --endpoints "127.0.0.1:$(($1 + i))" \
			--command-timeout 5s endpoint status -w json 2>/dev/null || true
	done | grep -o '"raft_term":[0-9]*' | cut -d: -f2 | sort -n | tail -1
}

etcd_storm() {
	local term
	term=$(etcd_term "$2")
	"$load" etcd-storm "$1." "$2" "$seconds" >"$D/$1.figures"
	echo "figure $1.raft.storm.elections $(($(etcd_term "$2") - term))" \
		>>"$D/$1.figures"
}

# ---- all of it ----

for name in $ETCD; do
	case $name in
	etcd) start_etcd etcd 7840 ;;
	*) start_etcd "$name" 7860 --heartbeat-interval 10 --election-timeout 100 ;;
	esac
done
[ -z "$ETCD" ] || sleep 5 # they elect
"$load" storm "$B/raftfs-raftd" "$D/ours" "$seconds" >"$D/figures" 2>"$D/log" &
ours=$!
servers+=("$ours")
runs=("$ours")
for name in $ETCD; do
	etcd_storm "$name" "$([ "$name" = etcd ] && echo 7840 || echo 7860)" &
	runs+=($!)
	servers+=($!)
done
sleep 5 # a calm beginning: the usual silences are short ones
setsid bash -c "$storm" "$D" &
blowing=$!
wait "${runs[@]}"
calm
cat "$D"/*figures
echo "figure raft.storm.minutes $MINUTES"
# What there was to hear, when there was an election.
if ! grep -q 'raft.storm.elections 0' "$D/figures"; then
	grep -hE 'following|leader|candidate|hand' "$D/log" | tail -40 >&2
fi
