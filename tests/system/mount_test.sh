#!/usr/bin/env bash
# The mount, as programs see it: what names.c and content.c promise, through
# two nodes at once; a source tree unpacked, compiled and cloned on it; and a
# leader's death in the middle of a copy that no program hears of.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -c /dev/fuse ]; then
	echo "off: no /dev/fuse"
	echo "0 passed, 0 failed, 1 skipped"
	trap - EXIT
	exit 0
fi

mount_node() { # N: all nodes are known, N comes first
	local n where=$W/n$1/run/files.sock
	for n in 1 2 3; do
		[ "$n" = "$1" ] || where+=,$W/n$n/run/files.sock
	done
	mkdir -p "$W/m$1"
	"$B/raftfs-mount" "$where" "$W/m$1" && mounts+=("$W/m$1")
}

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
mount_node 1 && mount_node 2
ok "the tree is mounted twice" $?
[ "${#mounts[@]}" = 2 ] || exit 1

for program in names content; do
	mkdir "$W/m1/$program"
	timeout 120 "$B/tests/system/$program" "$W/m1/$program" \
		"$W/m2/$program" >"$W/$program.out" 2>&1
	status=$?
	while IFS= read -r line; do
		case $line in
		ok:*) ok "${line#ok: }" 0 ;;
		not*) ok "${line#not ok: }" 1 ;;
		*) echo "$line" ;;
		esac
	done <"$W/$program.out"
	[ "$status" -le 1 ]
	ok "$program came to its end" $?
done

# A tree of many small files, that the programs of a developer work on.
mkdir "$W/src"
cp -r common shm proto "$W/src"
printf 'int main(void) { return 0; }\n' >"$W/src/main.c"
tar -C "$W" -cf "$W/src.tar" src
tar -C "$W/m1" -xf "$W/src.tar" && diff -r "$W/src" "$W/m2/src"
ok "tar unpacks; the other node has every byte" $?
cc -I"$W/m1/src" -c -o "$W/m1/units.o" "$W/m1/src/common/units.c" -D_GNU_SOURCE &&
	cc -o "$W/m1/main" "$W/m1/src/main.c" && "$W/m2/main"
ok "a compiler works on it, and what it made runs on the other" $?
git -C "$W/m1/src" init -q . && git -C "$W/m1/src" add . &&
	git -C "$W/m1/src" -c user.name=t -c user.email=t@t commit -qm t &&
	git clone -q "$W/m1/src" "$W/m2/clone" 2>/dev/null &&
	git -C "$W/m1/clone" fsck --no-progress >/dev/null 2>&1 &&
	[ -z "$(git -C "$W/m1/clone" status --short)" ]
ok "git commits, clones through the other node, and finds nothing amiss" $?

leader=$(await_leader 1)
cp -r "$W/src" "$W/m$((leader % 2 + 1))/during" 2>"$W/cp.err" &
copy=$!
sleep 0.3
kill_daemon "$leader" raftd
wait "$copy"
status=$?
ok "a copy does not notice that the leader dies $(cat "$W/cp.err")" "$status"
diff -r "$W/src" "$W/m$((leader % 2 + 1))/during"
ok "and is whole" $?
crash 1
cp -r "$W/src" "$W/m1/without"
ok "a mount whose node is gone goes on through another" $?
diff -r "$W/src" "$W/m2/without"
ok "and what it wrote is there" $?
