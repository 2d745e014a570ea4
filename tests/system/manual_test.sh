#!/usr/bin/env bash
# What the EXAMPLES of the manuals and the README's first five minutes say is
# what works: commands are run against clusters on this machine, configurations
# are checked, C is compiled.
#
# A command is run as it stands, but for the places of this test: /tmp/c, /mnt
# and /etc/raftfs/raftfs.conf are its own, and ports are free ones.
set -u
cd "$(dirname "$0")/../.." || exit 2
TOP=$PWD
B=$(realpath "${B:-build}")
W=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-manual.XXXXXX")
PORT=$((29000 + $$ % 1000 * 3))
PATH=$B:$PATH:/usr/sbin
passed=0
failed=0
skipped=0

ok() { # what, status
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "not ok: $1"
	fi
}

skip() { # what, why
	skipped=$((skipped + 1))
	echo "off: $1: $2"
}

clean_up() {
	trap - EXIT
	fusermount3 -u -z "$W/mnt" 2>/dev/null
	fusermount3 -u -z "$W/mount" 2>/dev/null
	for dir in "$W/main" "$W/c" "$W/run"; do
		[ ! -d "$dir" ] || raftfs cluster down --dir "$dir" >/dev/null
	done
	cd "$TOP" && rm -rf "$W"
	echo "$passed passed, $failed failed, $skipped skipped"
	exit $((failed > 0))
}
trap clean_up EXIT

# The examples of a page: "@" before each block, then its lines, unescaped.
examples() { # page
	awk '
		/^\.Sh/ { inside = ($2 == "EXAMPLES"); next }
		!inside { next }
		/^\.Dl / { print "@"; print substr($0, 5); next }
		/^\.Bd -literal/ { print "@"; block = 1; next }
		/^\.Ed/ { block = 0; next }
		block { print }
	' "$1" | sed 's/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\e/\\/g'
}

# Likewise of the README; it was built already.
first_five_minutes() {
	awk '
		/^## First five minutes/ { inside = 1 }
		inside && /^```/ { if (block) exit; block = 1; print "@"; next }
		block && !/^make$/ { print }
	' README.md
}

# Why this command cannot be run here; nothing: it can.
reason() { # command
	case $1 in
	*raftfs-mount* | *fusermount3* | tar*)
		if [ "$(id -u)" != 0 ]; then
			echo "mounting needs root"
		elif [ ! -c /dev/fuse ]; then
			echo "no /dev/fuse"
		fi
		;;
	*--foreground*) echo "it would run for ever, on the example's addresses" ;;
	*/sys/fs/bpf/*)
		[ -d "/sys/fs/bpf/raftfs-v1/n1" ] || echo "no probes are loaded"
		;;
	esac
}

run_command() { # page, command
	local why here=$2
	why=$(reason "$2")
	if [ -n "$why" ]; then
		skip "$1: $2" "$why"
		return
	fi
	# A page that starts no cluster of its own means one that is there.
	if grep -q '^raftfs cluster up' "man/$1" 2>/dev/null; then
		here=${here//\/tmp\/c/$W/c}
	else
		here=${here//\/tmp\/c/$W/main}
	fi
	here=${here//\/etc\/raftfs\/node.key/$W/node.key}
	here=${here//\/mnt/$W/mount}
	here=${here//\/etc\/raftfs\/raftfs.conf/$W/main/n1/raftfs.conf}
	here=${here//\/usr\/share\/raftfs/$TOP/proto}
	here=${here//\/usr\/share\/doc\/raftfs/$TOP/contrib}
	here=${here//cluster up/cluster up --base-port $((PORT + 100))}
	(cd "$W" && timeout 60 bash -c "$here") >"$W/out" 2>&1
	local status=$?
	ok "$1: $2" $status
	[ $status -eq 0 ] || sed 's/^/    /' "$W/out"
}

# One command a line, but for those that end in a backslash.
run_lines() { # page, file
	local command
	while IFS= read -r command; do
		[ -z "$command" ] || run_command "$1" "$command"
	done < <(sed -e ':a' -e '/\\$/N; s/\\\n[ \t]*//; ta' "$2")
}

# A configuration may follow commands, from its first option on.
check_conf() { # page, file
	sed -n '/^self *=/,$p' "$2" >"$W/example.conf"
	sed '/^self *=/,$d' "$2" | grep -v '^#' >"$W/before"
	run_lines "$1" "$W/before"
	raftfs config check "$W/example.conf" >"$W/out" 2>&1
	local status=$?
	ok "$1: the configuration is one" $status
	[ $status -eq 0 ] || sed 's/^/    /' "$W/out"
}

compile_c() { # page, file
	{
		printf '#include <stdint.h>\n#include "shm/rfsclock.h"\n'
		printf 'int use_local_time(void);\nvoid commit(int64_t);\n'
		printf 'int example(struct rfsclock *);\n'
		printf 'int example(struct rfsclock *clock)\n{\n'
		cat "$2"
		printf 'return 0;\n}\n'
	} >"$W/example.c"
	gcc -Wall -Wextra -Werror -fsyntax-only -I"$TOP" "$W/example.c"
	ok "$1: the C compiles" $?
}

# What kind of text a block is, by its looks.
run_block() { # page, file
	if grep -qE '^(struct|int|if) .*[;)]$' "$2"; then
		compile_c "$1" "$2"
	elif grep -qE '^self *=' "$2"; then
		check_conf "$1" "$2"
	else
		run_lines "$1" "$2"
	fi
}

mkdir -p "$W/mount" "$W/linux"
ln -s "$B" "$W/build"
echo 'int main;' >"$W/linux/main.c"
tar -C "$W" -cJf "$W/linux.tar.xz" linux
raftfs cluster up --nodes 3 --dir "$W/main" --base-port "$PORT" >"$W/out" 2>&1
ok "a cluster to try the examples on" $? || cat "$W/out"

for page in man/*.[0-9] README.md; do
	rm -f "$W"/block.*
	if [ "$page" = README.md ]; then
		first_five_minutes
	else
		examples "$page"
	fi | awk -v stem="$W/block." '
		/^@$/ { count++; next }
		{ print >sprintf("%s%02d", stem, count) }'
	for block in "$W"/block.*; do
		[ ! -f "$block" ] || run_block "${page#man/}" "$block"
	done
done
[ "$passed" -gt 12 ]
ok "there were examples" $?
