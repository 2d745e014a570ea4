#!/bin/sh
# clang-tidy over some files: $1 is the build directory, $2 how deep its
# analyzer looks (shallow: each function for itself, an eighth of the time;
# deep: across calls), the rest are sources. Prints findings only, not the count
# of what it suppressed in system headers.
build=$1
depth=$2
shift 2
option="--extra-arg=-Xclang --extra-arg=-analyzer-config"
# shellcheck disable=SC2086 # several words
out=$(clang-tidy --quiet $option --extra-arg=-Xclang \
	--extra-arg="mode=$depth" "$@" -- -std=gnu11 -D_GNU_SOURCE -I. \
	-I"$build" -I"$build/proto" 2>&1)
status=$?
printf '%s\n' "$out" | grep -E ': (warning|error):' && exit 1
exit $status
