#!/usr/bin/env bash
# A new leader that waits out its predecessor's long lease, with one write in
# limbo: it answers at once what that write cannot change, and what it may
# change only when it is settled.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2034 # for lib.sh
extra_conf='raft {
	lease = "8s"
}'

leads() { [ "$(leader_by "$1")" = "$1" ]; }

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
old=$(await_leader 1)
new=$((old % 3 + 1))
third=$((new % 3 + 1))
uncommitted() { # N: its log is longer than what it knows committed
	[ "$(number "$1" commit_index)" -lt "$(number "$1" last_index)" ]
}
rfs "$old" mkdir /other
echo still | rfs "$old" put - /other/still
"$B/tests/system/writer" "$W/n$old/run/files.sock" /moving write 25 \
	"$W/acked" >"$W/writer" 2>&1 &
writer=$!
wait_until 10 rfs "$new" stat /moving
sleep 0.5

# A write reaches the next leader and nobody else; what that says does not come
# back.
alone() { [ "$(number "$third" last_index)" -lt "$(number "$new" last_index)" ]; }
unheard() {
	[ "$(number "$old" commit_index)" -lt "$(number "$new" last_index)" ]
}
cut "$old" "$third"
wait_until 20 alone
cut "$old" "$new" oneway
wait_until 20 unheard
ok "a write reaches n$new, and n$old does not know" $?
pause "$old" raftd
# Still cut off: its kernel would go on sending what raftd had written.
wait_until 6 leads "$new"
ok "n$new leads instead of n$old, which stands still" $?
limbo=$(number "$new" last_index)

[ "$(rfs "$new" cat /other/still)" = still ] && uncommitted "$new"
ok "it reads what the write cannot change, with nothing committed yet" $?
rfs "$new" ls -l /other >"$W/listing" && grep -q still "$W/listing" &&
	uncommitted "$new"
ok "also a directory with all that is in it" $?
rfs "$new" ls -l / >"$W/listing" &&
	[ "$(number "$new" commit_index)" -ge "$limbo" ]
ok "what it may change is told when it is settled" $?
heal
resume "$old"
wait "$writer"
status=$?
ok "the writer goes on: $(cat "$W/writer")" "$status"
for via in 1 2 3; do
	"$B/tests/system/writer" "$W/n$via/run/files.sock" /moving verify \
		"$W/acked"
	ok "nothing acknowledged is lost or there twice, by n$via" $?
done
