#!/bin/bash
# Members come and go by one command, whatever node it is given to.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

members() { # N args...: by node N's configuration
	local n=$1
	shift
	timeout 60 "$B/raftfs" -c "$W/n$n/raftfs.conf" members "$@"
}

# "n1 voter" and so on, as node N tells; those that are none are left out.
list() { # N
	members "$1" --json | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["seen"] and not row["member"] == "-":
        print(row["name"], row["member"])' | sort | tr '\n' ',' | sed 's/,$//'
}

list_is() { # N text
	[ "$(list "$1")" = "$2" ]
}

refused() { # N what to say, args...
	local n=$1 text=$2
	shift 2
	members "$n" "$@" >"$W/refused" 2>&1 && return 1
	grep -qF -- "$text" "$W/refused" || {
		cat "$W/refused"
		return 1
	}
}

# A machine at node N's address that is to join: its own name, id and key; whom
# it may ask is copied from a member's members.conf, as an operator would.
newcomer() { # N name id member
	mkdir -p "$W/$2/data" "$W/$2/run"
	[ -e "$W/$2/node.key" ] || "$B/raftfs" keygen "$W/$2/node.key" |
		grep 'key *=' >"$W/$2/key.line"
	{
		printf 'self = "%s"\njoin = true\ndata_dir = "%s/data"\n' \
			"$2" "$W/$2"
		printf 'run_dir = "%s/run"\nkey_file = "%s/node.key"\n' \
			"$W/$2" "$W/$2"
		printf 'cluster { id = "system-test" }\n'
		printf 'node "%s" {\n id = %s\n address = "10.77.7.%s"\n' \
			"$2" "$3" "$1"
		printf ' raft_port = 7101\n storage_port = 7102\n'
		printf ' time_port = 7103\n %s\n}\n' "$(cat "$W/$2/key.line")"
		awk -v address="10.77.7.$1" '
			/^node/ { section = "" }
			{ section = section $0 "\n" }
			/^}/ && section !~ "\"" address "\"" { printf section }
		' "$W/n$4/data/members.conf"
	} >"$W/$2/raftfs.conf"
}

start_newcomer() { # N name
	(exec nsenter --net="/run/netns/$NS-n$1" "$B/raftfs-supervisor" \
		-c "$W/$2/raftfs.conf") >>"$W/$2.log" 2>&1 &
	supervisor_pid[$1]=$!
}

world 5 3
start 1 2 3
wait_until 60 serving
ok "three nodes have a leader" $?
head -c 3000000 /dev/urandom >"$W/big"
rfs 1 put "$W/big" /big && rfs 2 put "$SELF" /small
ok "and files" $?
three="n1 voter,n2 voter,n3 voter"
list_is 1 "$three"
ok "members lists them" $?

# What cannot be is refused, with what is wrong.
refused 1 'is the configuration of "n4"' add n9 --config "$W/n4/raftfs.conf"
ok "a configuration of another node" $?
refused 1 'without "join = true"' add n2 --config "$W/n2/raftfs.conf"
ok "one that would start a cluster" $?
key4=$(sed 's/.*"\(.*\)".*/\1/' "$W/n4/key.line")
key1=$(sed 's/.*"\(.*\)".*/\1/' "$W/n1/key.line")
fields() { # address port id key name
	echo "$5" --address "$1" --raft-port "$2" --storage-port $(($2 + 1)) \
		--time-port $(($2 + 2)) --id "$3" --key "$4"
}
# shellcheck disable=SC2046 # several words
{
	refused 2 "id 2 is n2's already" add $(fields 10.77.7.4 7101 2 "$key4" n4)
	ok "an id that a member has" $?
	refused 2 "n1 has this name already" \
		add $(fields 10.77.7.4 7101 4 "$key4" n1)
	ok "a name that a member has" $?
	refused 2 "n1 has this key already" \
		add $(fields 10.77.7.4 7101 4 "$key1" n4)
	ok "a key that a member has" $?
	refused 2 "raft_port of 10.77.7.3 is n3's already" \
		add $(fields 10.77.7.3 7101 4 "$key4" n4)
	ok "an address that a member has" $?
}
refused 3 'there is no member "n8"' remove n8
ok "a member there is none of" $?
refused 3 "n2 is a voter already" promote n2
ok "a vote for who has one" $?
refused 3 "n4: address: must be a numeric" add n4 --address here \
	--raft-port 1 --storage-port 2 --time-port 3 --key "$key4"
ok "an address that is none" $?
list_is 2 "$three"
ok "and nothing has changed" $?

# The command waits for a machine that is still to come.
members 2 add n4 --config "$W/n4/raftfs.conf" >"$W/add.out" 2>"$W/add.err" &
adding=$!
sleep 1
grep -q "n4: learner (joins), not connected" "$W/add.err"
ok "add waits for the new node, and says so" $?
start 4
wait $adding
status=$?
ok "and ends when it votes: $(cat "$W/add.out")" "$status"
list_is 4 "$three,n4 voter"
ok "the new node knows itself a member" $?
wait_until 20 rfs 4 get /big "$W/big4" && cmp -s "$W/big" "$W/big4"
ok "and reads what was written before it came" $?
wait_until 10 grep -q 'node "n4"' "$W/n1/data/members.conf"
ok "members.conf of the others names it" $?

# A learner gets everything and counts nowhere, until it is promoted.
start 5
members 3 add n5 --learner --config "$W/n5/raftfs.conf" 2>/dev/null
ok "a learner is taken in" $?
list_is 1 "$three,n4 voter,n5 learner"
ok "and listed as one" $?
wait_until 20 rfs 5 get /big "$W/big5" && cmp -s "$W/big" "$W/big5"
ok "it holds and serves the files" $?
members 5 promote n5 2>/dev/null && list_is 1 "$three,n4 voter,n5 voter"
ok "promoted, asked by itself, it votes" $?

# A leader may be removed, and is told; it disturbs nobody.
old=$(await_leader 1)
members "$old" remove "n$old" 2>/dev/null
ok "the leader is removed (n$old)" $?
for n in 1 2 3 4 5; do [ "$n" = "$old" ] || other=$n; done
wait_until 20 rfs "$other" put "$SELF" /after
ok "the others go on under another leader" $?
removed_says_so() {
	timeout 10 "$B/raftfs" -c "$W/n$old/raftfs.conf" status |
		grep -q "removed from the cluster (membership entry [0-9]*)"
}
wait_until 20 removed_says_so
ok "the removed node's status says so" $?
wait_until 10 grep -q "this node was removed from the cluster" "$W/n$old/log"
ok "its log too" $?
before=$(number "$old" elections_started)
sleep 3
[ "$before" = "$(number "$old" elections_started)" ] && child_pid "$old" raftd >/dev/null
ok "it runs on, and makes no elections" $?
stop "$old"
start "$old"
wait_until 20 removed_says_so
ok "started again, it is still out" $?
[ "$(number "$old" elections_started)" = 0 ]
ok "and still disturbs nobody" $?
refused "$other" "id $old was used before" add "n$old" --id "$old" \
	--address "10.77.7.$old" --raft-port 7101 --storage-port 7102 \
	--time-port 7103 --key "$key1"
ok "its id is never used again" $?
stop "$old"

# A lost machine: one command, for a new one at the same address.
lost=$(for n in 1 2 3 4 5; do
	[ "$n" = "$old" ] || [ "$n" = "$other" ] || echo "$n"
done | head -n 1)
crash "$lost"
rm -rf "$W/n$lost/data"
newcomer "$lost" m7 7 "$other"
start_newcomer "$lost" m7
members "$other" replace "n$lost" m7 --config "$W/m7/raftfs.conf" \
	>"$W/replace.out" 2>&1
status=$?
ok "replaced: $(tail -n 1 "$W/replace.out")" "$status"
wait_until 20 timeout 20 "$B/raftfs" -s "$W/m7/run/files.sock" get /big \
	"$W/big7" && cmp -s "$W/big" "$W/big7"
ok "the new machine serves what the lost one held" $?
kept=$(list "$other")
[ "$(tr ',' '\n' <<<"$kept" | wc -l)" = 4 ] && [[ $kept == *"m7 voter"* ]]
ok "four voters: $kept" $?

# What would leave too few is refused while they are too few.
three_left=$(for n in 1 2 3 4 5; do
	[ "$n" = "$old" ] || [ "$n" = "$lost" ] || echo "$n"
done)
mapfile -t left <<<"$three_left"
crash "${left[0]}"
wait_until 20 rfs "${left[1]}" put "$SELF" /three-of-four # under a leader
members "${left[1]}" remove "n${left[0]}"
ok "a dead voter is removed" $?
crash "${left[1]}"
wait_until 20 rfs "${left[2]}" put "$SELF" /two-of-three
ok "two of three voters go on" $?
refused "${left[2]}" "not enough voters" remove m7
ok "no living one can be removed then" $?
start "${left[1]}"

# Everything stops, and starts from raftfs.conf, members.conf and the log.
wait_until 20 rfs "${left[2]}" put "$SELF" /before-stop
ok "written before the stop" $?
kept=$(list "${left[2]}")
stop "${left[1]}" "${left[2]}" "$lost"
rm "$W/n${left[1]}/data/members.conf"
echo 'node "half' >"$W/n${left[2]}/data/members.conf"
start "${left[1]}" "${left[2]}"
start_newcomer "$lost" m7
wait_until 30 list_is "${left[1]}" "$kept"
ok "all stopped and started: the same members" $?
wait_until 20 rfs "${left[1]}" cat /before-stop && wait_until 20 \
	rfs "${left[2]}" get /big "$W/big8" && cmp -s "$W/big" "$W/big8"
ok "and the same files" $?
for n in "${left[1]}" "${left[2]}"; do
	wait_until 10 grep -q 'node "m7"' "$W/n$n/data/members.conf"
	ok "members.conf of n$n is as it should be again" $?
done

# A voter that lost its disk has forgotten what it promised: under its old id
# it stays out, and says what to do.
stop "${left[2]}"
mv "$W/n${left[2]}/node.key" "$W/n${left[2]}/key.line" "$W"
rm -rf "$W/n${left[2]}/data" "$W/n${left[2]}/run"
mkdir -p "$W/forgot"
mv "$W/node.key" "$W/key.line" "$W/forgot"
newcomer "${left[2]}" forgot "${left[2]}" "${left[1]}"
sed -i "s/\"forgot\"/\"n${left[2]}\"/" "$W/forgot/raftfs.conf"
start_newcomer "${left[2]}" forgot
has_forgotten() {
	timeout 10 "$B/raftfs" -c "$W/forgot/raftfs.conf" status |
		grep -q "was a voter and has lost its log"
}
wait_until 20 has_forgotten
ok "a voter without its log says that it needs a new id" $?
members "${left[1]}" remove "n${left[2]}"
ok "and can be removed" $?
stop "${left[2]}"
newcomer "${left[2]}" m8 8 "${left[1]}"
start_newcomer "${left[2]}" m8
members "${left[1]}" add m8 --config "$W/m8/raftfs.conf"
ok "to come back under another" $?

# Leadership is handed over by way of any node. A leader may refuse one whose
# disk it finds slow; what is written in between tells it better.
leads() { # name
	[ "$(timeout 10 "$B/raftfs" -c "$W/n${left[1]}/raftfs.conf" leader)" = "$1" ]
}
handed_to() { # name
	leads "$1" || {
		for i in 1 2 3 4 5 6 7 8; do
			rfs "${left[1]}" put "$SELF" "/turn$i"
		done
		timeout 20 "$B/raftfs" -s "$W/n${left[1]}/run/files.sock" \
			leader transfer "$1" && wait_until 5 leads "$1"
	}
}
for to in m7 m8; do
	wait_until 30 handed_to "$to"
	ok "asked of n${left[1]}, leadership goes to $to" $?
done
