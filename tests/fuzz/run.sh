#!/usr/bin/env bash
# Run every fuzz target below $B/fuzz for EACH seconds, two at a time; what one
# has learnt is kept for the next run.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
EACH=${EACH:-20}
found=$B/fuzz/found
mkdir -p "$found"

run_one() { # program
	local name log corpus runs
	name=$(basename "$1" _fuzz)
	log=$B/fuzz/$name.log
	corpus=$B/fuzz/corpus/$name
	mkdir -p "$corpus"
	# Our own log lines go nowhere; libFuzzer keeps a way out for itself.
	if "$1" -max_total_time="$EACH" -timeout=10 -rss_limit_mb=1024 \
		-close_fd_mask=2 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$found/$name-" "$corpus" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
		echo "ok: $name: ${runs:-no} runs"
	else
		echo "not ok: $name, see $log"
		grep -E '^(==|SUMMARY|    #)|runtime error|panic|Assertion' "$log" | head -n 30
	fi
}
export -f run_one
export B EACH found

out=$(printf '%s\n' "$B"/fuzz/tests/fuzz/*_fuzz |
	xargs -P 2 -I '{}' bash -c 'run_one "{}"' | tee /dev/stderr)
failed=$(grep -c '^not ok' <<<"$out")
echo "$(grep -c '^ok' <<<"$out") passed, $failed failed"
[ "$failed" -eq 0 ]
