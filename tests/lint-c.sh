#!/bin/sh
# clang-tidy over some files: $1 is the build directory, the rest are sources.
# Prints findings only, not the count of what it suppressed in system headers.
build=$1
shift
out=$(clang-tidy --quiet "$@" -- -std=gnu11 -D_GNU_SOURCE -I. -I"$build" \
	-I"$build/proto" 2>&1)
status=$?
printf '%s\n' "$out" | grep -E ': (warning|error):' && exit 1
exit $status
