#!/bin/sh
# mandoc's whole advice on our pages. It looks other manuals up in this
# machine's database, which is not the question: a reference to a page of ours
# must be to one that is beside it, others are taken on trust.
set -u
status=0

# Findings are on standard output; the other says that the database is old.
mandoc -Tlint -Wstyle "$@" 2>/dev/null |
	grep -v 'referenced manual not found' && status=1

for page in "$@"; do
	grep -E '^\.Xr (raftfs|rfsclock)' "$page" |
		while read -r _ name section _; do
			[ -f "man/$name.$section" ] && continue
			echo "$page: no man/$name.$section"
		done
done | sort -u | grep . && status=1
exit $status
