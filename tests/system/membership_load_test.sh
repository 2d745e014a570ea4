#!/usr/bin/env bash
# The members change while clients write: a killed node is replaced, one comes
# as a learner and is promoted, one is added, the leader is removed. Nothing
# acknowledged is lost, what clients saw is linearizable, all states are equal,
# and the new nodes hold every byte without any of the founders.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

history=$B/tests/system/history
extra_conf='raft {
	snapshot_after_entries = 500
	segment = 8MiB
}'
world 6 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?

# More than the log keeps: who comes needs a snapshot, and the large data.
mkdir -p "$W/src"
for i in $(seq 1 150); do
	head -c $((i * 400)) /dev/urandom >"$W/src/f$i"
done
head -c 3500000 /dev/urandom >"$W/src/big"
for i in 1 2 3; do
	rfs 1 put -r "$W/src" "/tree$i" >/dev/null 2>&1 || break
done
ok "trees go in" $?

leader=$(await_leader 1)
lost=$((leader % 3 + 1))
stays=$((lost % 3 + 1))
sock() { echo "$W/n$1/run/files.sock"; }
members() { # verb...
	timeout 90 "$B/raftfs" -c "$W/n$stays/raftfs.conf" members "$@" \
		>>"$W/members.log" 2>&1
}
start 4 5 6
for n in 4 5 6; do
	wait_until 10 test -S "$(sock $n)"
done
"$history" run "$W/history" 30 14 "$(sock $stays)" "$(sock 4)" "$(sock 5)" \
	"$(sock 6)" "-$(sock "$leader")" "-$(sock "$lost")" \
	2>"$W/history.log" &
clients=$!
"$B/tests/system/writer" "$(sock $stays)" /records write 30 "$W/acked" \
	>"$W/writer" 2>&1 &
writer=$!

sleep 2
crash "$lost"
members replace "n$lost" n4 --config "$W/n4/raftfs.conf"
ok "n$lost is killed, and n4 takes its place" $?
grep -q 'snapshot: received' "$W/n4/log"
ok "by a snapshot" $?
members add n5 --learner --config "$W/n5/raftfs.conf"
ok "n5 comes as a learner" $?
rfs 5 put "$W/src/big" /by-learner >/dev/null 2>&1 &&
	[ "$(rfs 5 cat /by-learner | sha256sum)" = \
		"$(sha256sum <"$W/src/big")" ]
ok "whose clients write and read" $?
members promote n5
ok "n5 is promoted" $?
members add n6 --config "$W/n6/raftfs.conf"
ok "n6 is added" $?

leads() { [ "$(leader_by "$stays")" = "$1" ]; }
leads "$leader" || timeout 30 "$B/raftfs" -c "$W/n$stays/raftfs.conf" \
	leader transfer "n$leader" >>"$W/members.log" 2>&1
wait_until 10 leads "$leader"
ok "n$leader leads" $?
members remove "n$leader"
ok "and is removed" $?
another_leads() {
	local now
	now=$(leader_by "$stays") && [ "$now" != "$leader" ]
}
wait_until 20 another_leads
ok "another one leads" $?
members_are() {
	timeout 10 "$B/raftfs" -c "$W/n$stays/raftfs.conf" members |
		awk '$2 == "voter" { print $1 }' | sort | xargs
}
[ "$(members_are)" = "$(printf 'n%s\n' "$stays" 4 5 6 | sort | xargs)" ]
ok "the members are n$stays, n4, n5 and n6" $?

wait "$writer"
status=$?
ok "the writer ends: $(cat "$W/writer")" "$status"
wait "$clients"
ok "all clients end, and every member shows every register" $?
cat "$W/history.log"
"$history" check "$W/history" >"$W/verdict"
status=$?
ok "$(tail -n 1 "$W/verdict")" "$status"
head -n 20 "$W/verdict"
for n in "$stays" 4 5 6; do
	"$B/tests/system/writer" "$(sock "$n")" /records verify "$W/acked"
	ok "n$n has every acknowledged record" $?
done
equal() {
	"$B/tests/system/digest" "$W/n$stays/run" "$W"/n{4,5,6}/run \
		>"$W/digests"
}
wait_until 20 equal
ok "all states are equal" $?
cat "$W/digests"

# The large data came to disk, and is what it was.
chunk_hash() { # N
	(cd "$W/n$1/data/storaged/chunks" &&
		find . -name '*.chunk' -print0 | sort -z |
		xargs -0 sha256sum | sha256sum)
}
same_chunks() { [ "$(chunk_hash "$1")" = "$(chunk_hash "$stays")" ]; }
for n in 4 5 6; do
	wait_until 20 same_chunks "$n"
	ok "the chunks of n$n are those of n$stays, byte by byte" $?
done
crash "$stays"
crash "$leader"
wait_until 20 leader_by 4
ok "without any founder there is a leader" $?
for n in 4 5 6; do
	rm -rf "$W/dst"
	rfs "$n" get -r "/tree$((n - 3))" "$W/dst" >/dev/null 2>&1
	diff -r "$W/src" "$W/dst"
	ok "and n$n has every byte" $?
done
