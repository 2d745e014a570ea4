#!/usr/bin/env bash
# Run every system test (or those named) and add up their verdicts.
set -u
cd "$(dirname "$0")" || exit 2
p=0
f=0
[ $# -gt 0 ] || set -- *_test.sh
for script in "$@"; do
	echo "== $script"
	out=$(timeout 300 bash "$script" 2>&1)
	status=$?
	printf '%s\n' "$out"
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed' <<<"$out" | tail -n 1)
	if [ -z "$last" ]; then
		echo "$script ended without a verdict (exit $status)"
		f=$((f + 1))
		continue
	fi
	p=$((p + $(expr "$last" : '\([0-9]*\)')))
	f=$((f + $(expr "$last" : '.*passed, \([0-9]*\)')))
done
echo "$p passed, $f failed"
[ "$f" -eq 0 ]
