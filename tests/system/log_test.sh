#!/usr/bin/env bash
# raftfs log: what was committed, by time, with its error; the same on every
# node; across a change of the leader, and behind a compaction.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
extra_conf='raft {
	snapshot_after_entries = 300
}'

# The line of the log that says TEXT, by node N.
entry() { rfs "$1" --json log | grep -F "$2"; }
field() { sed -n "s/.*\"$1\":\"*\([^,\"]*\).*/\1/p"; }
# Nanoseconds since 1970, as a person may write them.
written() { date -u -d "@$(($1 / 1000000000))" "+%FT%T.$(printf %09d $(($1 % 1000000000)))Z"; }

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
for i in 1 2 3 4; do
	echo "file $i" | rfs $((i % 3 + 1)) put - "/f$i"
done
rfs 2 mv /f4 /moved

rfs 1 log >"$W/log"
[ "$(grep -o 'put "f[0-9]"' "$W/log" | tr -d '\n')" = \
	'put "f1"put "f2"put "f3"put "f4"' ] &&
	grep -q 'rename "f4" in 1 -> "moved" in 1, by session .*uid 0 on node' \
		"$W/log"
ok "what was done is listed, in order, by whom" $?

ts=$(entry 1 'put \"f2\"' | field ts_ns)
rfs 1 log --since "$(written "$ts")" --until "$(written "$ts")" >"$W/one"
[ "$(grep -c put "$W/one")" = 1 ] && [ "$(wc -l <"$W/one")" = 2 ] &&
	grep -q 'put "f2"' "$W/one"
ok "from and up to the instant of one, only that one" $?
stamp=$(rfs 1 --json stat /f2 | field ctime_ns)
[ "$ts" = "$stamp" ]
ok "whose time is the change time of its file ($stamp)" $?
[ "$(rfs 1 log --since -1h | grep -c put)" = 4 ] &&
	[ "$(rfs 1 log --until -1h | wc -l)" = 1 ]
ok "all is within the last hour, nothing before" $?
[ "$(entry 1 'put \"f2\"' | field error_ns)" = 0 ]
ok "no error while the leader that stamped it leads" $?

timeout 10 "$B/raftfs" -s "$W/n3/run/files.sock" log --since now --follow \
	>"$W/followed" &
follower=$!
sleep 0.5
echo late | rfs 1 put - /late
wait_until 5 grep -q 'put "late"' "$W/followed"
ok "--follow shows it on another node as it is committed" $?
kill "$follower" 2>/dev/null
wait "$follower" 2>/dev/null

leader=$(await_leader 1)
kill_daemon "$leader" raftd
other=$((leader % 3 + 1))
wait_until 20 rfs "$other" mkdir /after
error=$(entry "$other" 'put \"f2\"' | field error_ns)
[ "$error" -gt 0 ] && [ "$(entry "$other" mkdir | field error_ns)" = 0 ]
ok "a new leader's timeline: what is older has an error now, $error ns" $?
same_log() {
	rfs "$other" log | grep -v lease >"$W/here"
	rfs "$((other % 3 + 1))" log | grep -v lease | cmp -s "$W/here"
}
wait_until 10 same_log
ok "every node lists the same" $?

mkdir -p "$W/many"
for i in $(seq 800); do echo "$i" >"$W/many/$i"; done
rfs "$other" put -r "$W/many" /many >"$W/put" 2>&1
# A leader may keep in memory what a slow follower still wants.
compacted= # a node whose log was
find_compacted() {
	for compacted in 1 2 3; do
		rfs "$compacted" log 2>&1 >/dev/null |
			grep -q "are compacted" && return 0
	done
	return 1
}
wait_until 40 find_compacted
ok "what was compacted is said to be" $?
sleep 1
rfs "$compacted" log --since now >"$W/recent" 2>&1
! grep -q compacted "$W/recent"
ok "but not to who asks for nothing of it" $?

third=$((6 - leader - other))
timeout 60 "$B/raftfs" -c "$W/n$other/raftfs.conf" members remove "n$third" \
	>"$W/removed" 2>&1
rfs "$other" log >"$W/log" 2>/dev/null
kept=$(printf '%s\n' "n$leader" "n$other" | sort | tr '\n' ' ')
grep -q "membership: voters ${kept% }; together with n1 n2 n3" "$W/log" &&
	grep -q "membership: voters ${kept% }\$" "$W/log"
ok "a change of members is two entries, in words" $?
