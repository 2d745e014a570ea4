# Real nodes in network namespaces, for the scripts beside this file.
# shellcheck shell=bash
#
#	world 3             three nodes, addresses 10.77.7.1 to .3, not started
#	world 5 3           the same, but nodes 4 and 5 wait to be taken in
#	start N...          supervisor of node N
#	stop N...           by TERM, waits
#	crash N             the whole node at once: supervisor and children
#	kill_daemon N NAME  kill -9 of one daemon, by pid
#	rfs N ARGS...       raftfs(1) against node N
#	reads_by_lease N    how many reads it has answered so
#	number N FIELD      a number out of its status
#	serving [N...]      there is a leader, and files at these nodes (all)
#	await_leader N      the leader, by node N; waits for one
#	wait_until S CMD... poll until CMD works, at most S seconds
#	pause N [NAME]      SIGSTOP one daemon, or the whole node
#	resume N            SIGCONT all of it
#	cut A B [oneway]    drop what B sends A (and A sends B)
#	lossy N PERCENT     drop that part of what N receives, at random
#	heal                undo all cuts and losses
#	load S              writers on all nodes for S seconds; proven by
#	prove_load          "nothing acknowledged is lost, on any node"
#
# Everything made is taken away by the EXIT trap: processes by pid, namespaces
# by name, mounts by path.

set -u
# shellcheck disable=SC2034 # for the scripts
SELF=$(realpath "$0") # a file at hand, for tests that need one
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
B=$(realpath "${B:-build}")
TEST=$(basename "$0" .sh)
W=$B/system/$TEST
NS=rfs-$$
NODES=0
FOUNDERS=0 # the nodes that start the cluster; the others join
passed=0
failed=0
declare -A supervisor_pid=()
declare -A prefix=() # of a node's supervisor: "env LD_PRELOAD=..."
extra_conf=
mounts=()

if [ "$(id -u)" != 0 ]; then
	echo "off: $TEST needs root for network namespaces"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

ok() { # what, status
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "not ok: $1"
	fi
}

in_node() { # N command...
	local n=$1
	shift
	nsenter --net="/run/netns/$NS-n$n" "$@"
}

# The pids of a node's daemons, read from their parent, never by name alone.
child_pid() { # N daemon
	local pid name
	while read -r pid; do
		read -r name <"/proc/$pid/comm" || continue
		case raftfs-$2 in "$name"*) echo "$pid" && return 0 ;; esac
	done < <(cat "/proc/${supervisor_pid[$1]}/task/"*/children \
		2>/dev/null | tr ' ' '\n' | grep .)
	return 1
}

clean_up() {
	local n status=$?
	trap - EXIT
	for n in "${!supervisor_pid[@]}"; do
		crash "$n" 2>/dev/null
	done
	for m in "${mounts[@]}"; do
		umount -l "$m" 2>/dev/null
	done
	for n in $(seq 1 "$NODES"); do
		ip netns del "$NS-n$n" 2>/dev/null
	done
	ip netns del "$NS-hub" 2>/dev/null
	if [ "$failed" -gt 0 ] || [ "$status" -ne 0 ]; then
		for n in $(seq 1 "$NODES"); do
			echo "--- last lines of node $n"
			tail -n 15 "$W/n$n/log" 2>/dev/null
		done
		[ "$failed" -gt 0 ] || failed=1
	fi
	echo "$passed passed, $failed failed"
	exit $((failed > 0))
}
trap clean_up EXIT

node_conf() { # N
	local i
	cat <<-EOF
		self = "n$1"
		data_dir = "$W/n$1/data"
		run_dir = "$W/n$1/run"
		key_file = "$W/n$1/node.key"
		cluster {
			id = "system-test"
		}
	EOF
	[ "$1" -le "$FOUNDERS" ] || echo "join = true"
	for i in $(seq 1 "$NODES"); do
		[ "$i" -le "$FOUNDERS" ] || [ "$i" = "$1" ] || continue
		cat <<-EOF
			node "n$i" {
				id = $i
				address = "10.77.7.$i"
				raft_port = 7101
				storage_port = 7102
				time_port = 7103
				$(cat "$W/n$i/key.line")
			}
		EOF
	done
	printf '%s\n' "$extra_conf"
}

world() { # count [founders]
	local n
	NODES=$1
	FOUNDERS=${2:-$1}
	rm -rf "$W"
	mkdir -p "$W"
	ip netns add "$NS-hub"
	ip -n "$NS-hub" link add br0 type bridge
	ip -n "$NS-hub" link set br0 up
	for n in $(seq 1 "$NODES"); do
		mkdir -p "$W/n$n/data" "$W/n$n/run"
		ip netns add "$NS-n$n"
		ip -n "$NS-n$n" link set lo up
		ip -n "$NS-n$n" link add eth0 type veth peer name "p$n" \
			netns "$NS-hub"
		ip -n "$NS-hub" link set "p$n" master br0 up
		ip -n "$NS-n$n" addr add "10.77.7.$n/24" dev eth0
		ip -n "$NS-n$n" link set eth0 up
		in_node "$n" nft -f - <<-EOF
			table inet cut {
				set in { type ipv4_addr; }
				set out { type ipv4_addr; }
				chain loss { }
				chain input {
					type filter hook input priority 0;
					ip saddr @in drop
					iifname "eth0" jump loss
				}
				chain output {
					type filter hook output priority 0;
					ip daddr @out drop
				}
			}
		EOF
		"$B/raftfs" keygen "$W/n$n/node.key" | grep 'key *=' \
			>"$W/n$n/key.line"
	done
	for n in $(seq 1 "$NODES"); do
		node_conf "$n" >"$W/n$n/raftfs.conf"
	done
}

start() { # N...
	local n
	for n in "$@"; do
		# shellcheck disable=SC2086 # a prefix is several words
		(exec nsenter --net="/run/netns/$NS-n$n" ${prefix[$n]:-} \
			"$B/raftfs-supervisor" -c "$W/n$n/raftfs.conf") \
			>>"$W/n$n/log" 2>&1 &
		supervisor_pid[$n]=$! # exec'ed: its own pid
	done
}

stop() { # N...
	local n
	for n in "$@"; do
		kill -TERM "${supervisor_pid[$n]}" 2>/dev/null
	done
	for n in "$@"; do
		wait "${supervisor_pid[$n]}" 2>/dev/null
		unset "supervisor_pid[$n]"
	done
}

crash() { # N
	# shellcheck disable=SC2046 # a list of pids
	kill -KILL $(node_pids "$1") 2>/dev/null
	wait "${supervisor_pid[$1]}" 2>/dev/null
	unset "supervisor_pid[$1]"
}

kill_daemon() { # N daemon
	kill -KILL "$(child_pid "$1" "$2")"
}

node_pids() { # N
	echo "${supervisor_pid[$1]} $(cat \
		"/proc/${supervisor_pid[$1]}/task/"*/children 2>/dev/null)"
}

pause() { # N [daemon]
	local pids
	if [ -n "${2:-}" ]; then
		pids=$(child_pid "$1" "$2") || return 1
	else
		pids=$(node_pids "$1")
	fi
	# shellcheck disable=SC2086 # a list of pids
	kill -STOP $pids
}

resume() { # N
	# shellcheck disable=SC2046 # a list of pids
	kill -CONT $(node_pids "$1")
}

rfs() { # N args...
	local n=$1
	shift
	timeout 60 "$B/raftfs" -s "$W/n$n/run/files.sock" "$@"
}

status_of() { # N daemon-json-query
	timeout 10 "$B/raftfs" -c "$W/n$1/raftfs.conf" status --json
}

reads_by_lease() { # N: how many its daemons have answered
	status_of "$1" | grep -o '"reads_by_lease": *[0-9]*' |
		awk -F: '{ sum += $2 } END { print sum + 0 }'
}

number() { # N field: the first of that name
	status_of "$1" | grep -o "\"$2\": *[0-9]*" | head -n 1 |
		grep -o '[0-9]*$'
}

wait_until() { # seconds command...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# The number of the node that node N thinks leads; fails while there is none.
leader_by() { # N
	local name
	name=$(timeout 10 "$B/raftfs" -c "$W/n$1/raftfs.conf" leader \
		2>/dev/null | head -n 1)
	case $name in n[1-9]) echo "${name#n}" ;; *) return 1 ;; esac
}

# The same, but a moment without one, on a busy host, is waited for.
await_leader() { # N
	local end=$((SECONDS + 30))
	until leader_by "$1"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# A leader says nothing of the storaged beside it, nor of those elsewhere.
serving() { # [N...]
	local n
	[ $# -gt 0 ] || set -- "${!supervisor_pid[@]}"
	leader_by "$1" || return 1
	for n in "$@"; do
		rfs "$n" -t 5 ls / || return 1
	done
}

cut() { # A B [oneway]
	in_node "$1" nft add element inet cut in "{ 10.77.7.$2 }"
	[ "${3:-}" = oneway ] && return
	in_node "$1" nft add element inet cut out "{ 10.77.7.$2 }"
}

lossy() { # N percent
	in_node "$1" nft add rule inet cut loss \
		numgen random mod 100 "<" "$2" drop
}

heal() {
	local n
	for n in $(seq 1 "$NODES"); do
		in_node "$n" nft flush chain inet cut loss
		in_node "$n" nft flush set inet cut in
		in_node "$n" nft flush set inet cut out
	done
}

writers=()

load() { # seconds
	local n
	writers=()
	for n in $(seq 1 "$NODES"); do
		"$B/tests/system/writer" "$W/n$n/run/files.sock" "/records$n" \
			write "$1" "$W/acked$n" >"$W/writer$n" 2>&1 &
		writers+=($!)
	done
}

prove_load() {
	local n via status
	for n in $(seq 1 "$NODES"); do
		wait "${writers[$((n - 1))]}"
		status=$?
		ok "writer on n$n: $(cat "$W/writer$n")" "$status"
	done
	for via in $(seq 1 "$NODES"); do
		for n in $(seq 1 "$NODES"); do
			"$B/tests/system/writer" "$W/n$via/run/files.sock" \
				"/records$n" verify "$W/acked$n" >/dev/null ||
				return 1
		done
	done
}

# What a node holds below a path, as hashes of names and contents.
tree_hash() { # N path
	rm -rf "$W/copy"
	rfs "$1" get -r "$2" "$W/copy" >/dev/null &&
		(cd "$W/copy" && find . -type f -print0 | sort -z |
			xargs -0 sha256sum | sha256sum)
}
