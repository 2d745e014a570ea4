#!/usr/bin/env bash
# timesyncd alone, three times: no supervisor, no raftd. The lowest-numbered
# node carries the timeline; when it dies the next one goes on with it; when it
# is back it takes over again. Pages and bound logs agree throughout.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='time_sync {
	min_peers = 2
}'
world 3
declare -A alone=()

start_alone() { # N...
	local n
	for n in "$@"; do
		(exec nsenter --net="/run/netns/$NS-n$n" env LIBEV_FLAGS=2 \
			"$B/raftfs-timesyncd" --foreground \
			--config "$W/n$n/raftfs.conf" \
			--bound-log "$W/n$n/bound") >>"$W/n$n/log" 2>&1 &
		alone[$n]=$!
	done
}
stop_alone() { # N signal
	kill "-$2" "${alone[$1]}"
	wait "${alone[$1]}" 2>/dev/null
	local status=$?
	unset "alone[$1]"
	return $status
}
stop_all_alone() {
	local n status=$?
	for n in "${!alone[@]}"; do
		stop_alone "$n" KILL
	done
	(exit "$status") # what clean_up looks at
	clean_up
}
trap stop_all_alone EXIT

unix_time() { # N: as last logged, in seconds
	tail -n 1 "$W/n$1/bound" | awk '{ print int($1) }'
}
# Usable intervals of the same epoch that overlap, ten times.
agree() { # N...
	local n pages=()
	for n in "$@"; do
		pages+=("$W/n$n/run/clock.page" 0)
	done
	timeout 30 "$B/tests/system/overlap" "${pages[@]}" >/dev/null
}
last_carrier() { # N: who its log says carries
	grep -o 'node [0-9]* carries the timeline\|: carries the timeline' \
		"$W/n$1/log" | tail -n 1 | grep -o '[0-9][0-9]*' || echo "$1"
}
carried_by() { # carrier, N...
	local carrier=$1 n
	shift
	for n in "$@"; do
		[ "$(last_carrier "$n")" = "$carrier" ] || return 1
	done
}

start_alone 1 2 3
wait_until 10 carried_by 1 1 2 3
ok "node 1 carries the timeline of a new mesh" $?
agree 1 2 3
ok "the three pages agree" $?

fds=$(readlink "/proc/${alone[2]}/fd/"* | grep '^socket:\|^anon_inode:' |
	sed 's/:\[[0-9]*\]//')
[ "$fds" = socket ]
ok "one socket, no epoll, eventfd, signalfd or timerfd" $?
[ "$(find "/proc/${alone[2]}/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
ok "one thread" $?

saved() { # N: the epoch in its file
	tail -n 1 "$W/n$1/data/timesyncd/epoch" 2>/dev/null || echo 0
}
first=$(saved 1)
[ "$first" -gt 0 ] && [ "$(saved 2)" = "$first" ] && [ "$(saved 3)" = "$first" ]
ok "each has saved the epoch's number" $?

# A second one by the same configuration takes nothing away from the first.
inode=$(stat -c %i "$W/n1/run/clock.page")
refused=$(nsenter --net="/run/netns/$NS-n1" timeout 20 \
	"$B/raftfs-timesyncd" --foreground --config "$W/n1/raftfs.conf" 2>&1)
[ $? -eq 1 ] && [[ $refused == *"Address already in use"* ]]
ok "a second one of the same configuration says that the port is taken" $?
[ "$(stat -c %i "$W/n1/run/clock.page")" = "$inode" ]
ok "and leaves the page of the first alone" $?
sed "s|^self = .*|self = \"n2\"|" "$W/n1/raftfs.conf" >"$W/n1/other.conf"
refused=$(nsenter --net="/run/netns/$NS-n1" timeout 20 \
	"$B/raftfs-timesyncd" --foreground --config "$W/n1/other.conf" 2>&1)
[ $? -eq 1 ] && [[ $refused == *"not the key that the configuration"* ]]
ok "one with another node's key says so" $?

before=$(unix_time 2)
stop_alone 1 KILL
wait_until 30 carried_by 2 2 3
ok "when node 1 dies node 2 carries the timeline" $?
agree 2 3
ok "the two pages agree" $?
after=$(unix_time 2)
[ "$after" -ge "$before" ] && [ "$after" -le $((before + 60)) ]
ok "time went on from where it was" $?

start_alone 1
wait_until 10 carried_by 2 1
ok "node 1 is back and follows node 2" $?
wait_until 40 carried_by 1 1 2 3
ok "then it carries the timeline again" $?
[ "$(saved 1)" -gt "$first" ]
ok "under a number of its own" $?
agree 1 2 3
ok "the three pages agree again" $?

# Nobody's time ever went back, and no bound was missing once there was one.
for n in 2 3; do
	awk '$1 < last { bad = 1 } $2 != "inf" { last = $1; seen = 1 }
		END { exit bad || !seen }' "$W/n$n/bound"
	ok "the bound log of node $n only moves on" $?
done

stop_alone 2 TERM
ok "SIGTERM ends it, exit code 0" $?
stop_alone 3 INT
ok "SIGINT too" $?

"$B/raftfs-timesyncd" --foreground >/dev/null 2>&1
[ $? -eq 2 ]
ok "without --config it says how it is called" $?
