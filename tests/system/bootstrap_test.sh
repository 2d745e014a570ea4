#!/usr/bin/env bash
# Three fresh nodes find one another, elect a leader, agree on time, hold files.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
all_agree() {
	leader=$(leader_by 1) && [ "$(leader_by 2)" = "$leader" ] &&
		[ "$(leader_by 3)" = "$leader" ]
}
wait_until 20 all_agree
ok "all nodes name the same one" $?

rfs 1 put "$SELF" /file
ok "a file goes in through n1" $?
for n in 2 3; do
	rfs "$n" cat /file | cmp - "$SELF"
	ok "and comes out of n$n, byte for byte, at once" $?
done

mkdir -p "$W/src/deep/er"
head -c 3000000 /dev/urandom >"$W/src/big"
head -c 70000 /dev/urandom >"$W/src/deep/medium"
printf x >"$W/src/deep/er/small"
: >"$W/src/empty"
ln -s deep/medium "$W/src/link"
rfs 2 put -r "$W/src" /src >/dev/null
ok "a tree with large, small and empty files and a link goes in" $?
rfs 3 get -r /src "$W/dst" >/dev/null
diff -r "$W/src" "$W/dst"
ok "and comes back the same from another node" $?

mknod -m 666 "$W/null" c 1 3
rfs 1 get /file "$W/null" && [ "$(stat -c %a "$W/null")" = 666 ]
ok "a device that takes a file keeps its own mode" $?

synced() { status_of "$1" | grep -q '"quality": *"SYNCED"'; }
for n in 1 2 3; do
	wait_until 20 synced "$n"
	ok "the clock of n$n is SYNCED" $?
done

# The kernel's own word, where it has one, beside what status says.
confined() { # daemon, most calls, its place among them
	local count
	count=$(status_of 1 | grep -o '"confined":"system calls: [0-9]*' |
		grep -o '[0-9]*$' | sort -n | sed -n "$3p")
	echo "$1: ${count:-no} system calls are left"
	[ "${count:-999}" -le "$2" ] &&
		grep -q 'Seccomp:.*2' "/proc/$(child_pid 1 "$1")/status" &&
		grep -q 'NoNewPrivs:.*1' "/proc/$(child_pid 1 "$1")/status"
}
if grep -q Seccomp /proc/self/status; then
	confined timesyncd 35 1 && confined raftd 55 2 && confined storaged 70 3
	ok "each daemon has given up what it does not need" $?
fi

rfs 1 rm /file && ! rfs 2 cat /file 2>"$W/err"
ok "a removed file is gone everywhere" $?
grep -q '/file' "$W/err"
ok "and the error names it" $?

stop 1 2 3
left=$(pgrep -f "$W/n" | wc -l)
[ "$left" -eq 0 ]
ok "TERM to the supervisors leaves no process behind" $?
