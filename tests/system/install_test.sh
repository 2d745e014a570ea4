#!/usr/bin/env bash
# What `make install` leaves is complete: programs that find each other there,
# libraries other programs can be built with, manuals that refer to pages that
# exist. Needs neither root nor this tree, once installed.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=$(realpath "${B:-build}")
W=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-install.XXXXXX")
D=$W/root
PORT=$((21000 + $$ % 8000))
passed=0
failed=0
up=

ok() { # what, status
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "not ok: $1"
	fi
}

clean_up() {
	trap - EXIT
	if [ -n "$up" ]; then
		"$D/usr/bin/raftfs" cluster down --dir "$W/c" >/dev/null
		ok "and stops" $?
	fi
	rm -rf "$W"
	echo "$passed passed, $failed failed"
	exit $((failed > 0))
}
trap clean_up EXIT

make B="$B" DESTDIR="$D" PREFIX=/usr install >"$W/install.log" 2>&1
ok "make install DESTDIR=" $? || cat "$W/install.log"
[ "$failed" -eq 0 ] || { tail -n 20 "$W/install.log"; exit 1; }

# --- programs
"$D/usr/sbin/raftfs-supervisor" -V
ok "raftfs-supervisor -V" $?
"$D/usr/bin/raftfs" --help | grep -q '^usage: raftfs'
ok "raftfs --help" $?
for program in supervisor timesyncd raftd storaged; do
	[ -x "$D/usr/sbin/raftfs-$program" ]
	ok "raftfs-$program is there" $?
done

# --- the gRPC face, where it was built, and what its clients compile
if [ -x "$B/raftfs-grpc" ]; then
	"$D/usr/sbin/raftfs-grpc" --help | grep -q '^usage: raftfs-grpc'
	ok "raftfs-grpc --help" $?
fi
protoc --proto_path="$D/usr/share/raftfs" --descriptor_set_out=/dev/null \
	time_sync.proto raft_status.proto health.proto
ok "the .proto files need nothing but one another" $?

# --- libraries, as a program far from here finds them
export PKG_CONFIG_PATH=$D/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$D
export LD_LIBRARY_PATH=$D/usr/lib
cc=${CC:-gcc}
for example in "clock raftfs-clock" "put raftfs"; do
	read -r name package <<<"$example"
	# shellcheck disable=SC2046 # several words
	(cd "$W" && "$cc" -Wall -Wextra -Werror -o "$name" \
		"$D/usr/share/doc/raftfs/examples/$name.c" \
		$(pkg-config --cflags --libs "$package"))
	ok "examples/$name.c builds by pkg-config $package" $?
done
for header in raftfs.h rfsclock.h; do
	for language in c c++; do
		# shellcheck disable=SC2046 # several words
		echo "#include <$header>" | clang -x "$language" -Wall -Wextra \
			-Wno-unused-const-variable -Werror -fsyntax-only \
			$(pkg-config --cflags raftfs) -
		ok "<$header> stands alone in $language" $?
	done
done

# What the library shows is what its header declares.
shown() {
	nm -D --defined-only "$D/usr/lib/$1.so.0" |
		awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort
}
declared() { # headers
	local header
	for header in "$@"; do
		gcc -E "$D/usr/include/raftfs/$header"
	done | tr '\n' ' ' | grep -oE '\b(raftfs|rfsclock|rfs_err)_[a-z_]+ ?\(' |
		tr -d ' (' | sort -u
}
diff <(declared rfsclock.h) <(shown libraftfs-clock)
ok "libraftfs-clock shows what rfsclock.h declares, no more" $?
diff <(declared raftfs.h) <(shown libraftfs)
ok "libraftfs shows what raftfs.h declares, no more" $?
for lib in libraftfs libraftfs-clock; do
	readelf -d "$D/usr/lib/$lib.so" | grep -q "SONAME.*\[$lib.so.0\]"
	ok "$lib.so is $lib.so.0" $?
done

# --- manuals
for page in "$D"/usr/share/man/man*/*; do
	section=${page##*.}
	[ "$(basename "$(dirname "$page")")" = "man$section" ] &&
		mandoc -T utf8 "$page" >"$W/page" && [ -s "$W/page" ]
	status=$?
	ok "$(basename "$page") is a manual of section $section" "$status"
	while read -r _ name number _; do
		[ -f "$D/usr/share/man/man$number/$name.$number" ]
		status=$?
		ok "$(basename "$page"): $name($number) exists" "$status"
	done < <(grep -hE '^\.Xr (raftfs|rfsclock)' "$page" | sort -u)
done
for program in "$D"/usr/bin/* "$D"/usr/sbin/*; do
	ls "$D"/usr/share/man/man*/"$(basename "$program")".[0-9] >/dev/null
	status=$?
	ok "$(basename "$program") has a manual" "$status"
done
bash -n "$D/usr/share/bash-completion/completions/raftfs"
ok "the completion is shell" $?
grep -rlE '@[A-Z]+@' "$D/usr/lib/pkgconfig" "$D/usr/lib/systemd" \
	"$D/usr/share"
[ $? -eq 1 ]
ok "nothing is left to fill in" $?

# --- a cluster of what was installed, and programs that use it
"$D/usr/bin/raftfs" cluster up --nodes 3 --dir "$W/c" --base-port "$PORT"
ok "a cluster starts from the installed place" $?
up=1
[ "$("$W/put" "$W/c" /hello 'some text')" = 'some text' ]
ok "examples/put.c writes and reads a file" $?
page=$W/c/n1/run/clock.page
synced() { "$W/clock" "$page" | grep -q '^quality synced'; }
for _ in $(seq 100); do
	synced && break
	sleep 0.2
done
"$W/clock" "$page"
synced
ok "examples/clock.c reads cluster time" $?
said=$(python3 "$D/usr/share/doc/raftfs/examples/clock.py" "$page")
ok "examples/clock.py runs" $?
first=$("$W/clock" "$page" | sed -n 's/^latest //p')
earliest=$(sed -n 's/^earliest //p' <<<"$said")
latest=$(sed -n 's/^latest //p' <<<"$said")
echo "$said"
[ -n "$earliest" ] && [ "$earliest" -le "$latest" ] &&
	[ "$earliest" -le "$first" ]
ok "and both agree on what time it is" $?
