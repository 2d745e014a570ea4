#!/usr/bin/env bash
# make bench-wal: what a group commit of the log costs, by the ways there are.
#
# Names: wal.METHOD.GROUP.{ops_s,p50_us,p99_us,ratio_plain,cpu_us}: records a
# second, time and processor time of one group of 1, 16 or 64 records, and its
# time over that of "plain" just before or after, median. Methods are
# explained in tests/bench/wal/methods.c; the daemon uses "plain".
#
#	DIR      on the disk to measure; by default in the build directory
#	SECONDS_ of each method and group; 3
#
# liburing is needed for this alone, and installed here when it is missing.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
mkdir -p "$B/bench"
D=$(mktemp -d "${DIR:-$B/bench}/wal.XXXXXX")
trap 'rm -rf "$D"' EXIT

echo '#include <liburing.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1 ||
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends liburing-dev >/dev/null
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$B/bench/methods" \
	tests/bench/wal/methods.c -luring
echo "# $(stat -f -c %T "$D") on $(df --output=source "$D" | tail -n 1), kernel $(uname -r)"
"$B/bench/methods" "$D" "${SECONDS_:-3}"
