#!/usr/bin/env bash
# A node with another key, or with another idea of the cluster, is refused, and
# says why; the others do not notice but for a log line.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
# n3 comes with a key nobody listed.
mv "$W/n3/node.key" "$W/n3/listed.key"
"$B/raftfs" keygen "$W/n3/node.key" >/dev/null
start 1 2 3
wait_until 60 serving 1 2
ok "two nodes elect a leader without the third" $?
rfs 1 put "$SELF" /file
ok "and hold files" $?
sleep 2
! timeout 5 "$B/raftfs" -s "$W/n3/run/files.sock" cat /file >/dev/null 2>&1
ok "the stranger serves nothing" $?
grep -q 'n3.*key' "$W/n1/log" "$W/n2/log" "$W/n3/log"
ok "the log says it is about n3's key" $?

stop 3
mv -f "$W/n3/listed.key" "$W/n3/node.key"
cp "$W/n3/raftfs.conf" "$W/n3/right.conf"
printf 'time_sync {\n\tmax_rate_ppm = 50\n}\n' >>"$W/n3/raftfs.conf"
start 3
sleep 3
! timeout 5 "$B/raftfs" -s "$W/n3/run/files.sock" cat /file >/dev/null 2>&1
ok "a node whose configuration differs where all must agree is refused" $?
grep -qi 'config' "$W/n3/log"
ok "and told so" $?

stop 3
mv -f "$W/n3/right.conf" "$W/n3/raftfs.conf"
start 3
same() { rfs 3 cat /file | cmp - "$SELF"; }
wait_until 20 same
ok "with the right key and file it joins" $?

chmod 644 "$W/n3/node.key"
stop 3
"$B/raftfs-supervisor" -c "$W/n3/raftfs.conf" >"$W/open.log" 2>&1 &
opened=$!
sleep 2
kill -TERM "$opened" 2>/dev/null
wait "$opened" 2>/dev/null
grep -q "$W/n3/node.key" "$W/open.log"
ok "a key file others can read is refused by name" $?

sed 's/raft_port = 7101/raft_port = 710x1/' "$W/n2/raftfs.conf" >"$W/bad.conf"
! "$B/raftfs-supervisor" -t -c "$W/bad.conf" >"$W/bad.log" 2>&1
ok "a bad file is refused" $?
grep -qE 'bad.conf:[0-9]+: .*raft_port' "$W/bad.log"
ok "with file, line and option" $?
