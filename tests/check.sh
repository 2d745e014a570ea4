#!/usr/bin/env bash
# Every test of a commit, each counted; the last line is the verdict.
#
#   B=build SEEDS=200 FULL= bash tests/check.sh
#
# Long output goes to $B/check/NAME.log and is shown only when something fails.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
logs=$B/check
passed=0
failed=0
started=$SECONDS
failures=()
mkdir -p "$logs"

count() { # name, passed, failed
	passed=$((passed + $2))
	failed=$((failed + $3))
	printf '%-28s %5d passed %3d failed   %4ds\n' "$1" "$2" "$3" \
		$((SECONDS - started))
}

# What failed, said once more at the end where nobody has to look for it.
blame() { # name; lines on stdin
	while read -r line; do
		failures+=("$1: $line")
	done
}

# One command that either works or does not.
step() { # name, command...
	local name=$1
	shift
	if "$@" >"$logs/$name.log" 2>&1; then
		count "$name" 1 0
	else
		count "$name" 0 1
		tail -n 40 "$logs/$name.log"
		blame "$name" <<<"exit status of: $*"
	fi
}

# A command whose last line is "N passed, N failed".
tally() { # name, command...
	local name=$1 last p f
	shift
	"$@" >"$logs/$name.log" 2>&1
	local status=$?
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$logs/$name.log" |
		tail -n 1)
	p=$(expr "$last" : '\([0-9]*\) passed') || p=0
	f=$(expr "$last" : '.*passed, \([0-9]*\) failed') || true
	[ -n "$f" ] || f=1
	[ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	count "$name" "${p:-0}" "$f"
	[ "$f" -eq 0 ] && return
	tail -n 60 "$logs/$name.log"
	blame "$name" < <(grep -hE '^(==|not ok)|without a verdict' \
		"$logs/$name.log" | grep -B 1 -vE '^(==|--)')
}

# All cmocka programs below a build directory.
unit() { # name, build directory
	local name=$1 dir=$2 p=0 f=0 ok bad out
	: >"$logs/$name.log"
	while read -r program; do
		out=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$program" 2>&1)
		local status=$?
		ok=$(grep -c '^ok ' <<<"$out")
		bad=$(grep '^not ok ' <<<"$out" | grep -vc '# SKIP ')
		sed -n 's/^not ok [0-9]* # SKIP /off here: /p' <<<"$out"
		[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
		[ "$ok" -gt 0 ] || [ "$bad" -gt 0 ] || bad=1
		printf '== %s: exit %d\n%s\n' "$program" "$status" "$out" \
			>>"$logs/$name.log"
		if [ "$bad" -gt 0 ]; then
			echo "-- $program: exit $status"
			grep -vE '^ok ' <<<"$out" | tail -n 30
			blame "$name" <<<"$program"
		fi
		p=$((p + ok))
		f=$((f + bad))
	done < <(find "$dir/tests" -name '*_test' -type f -perm -u+x | sort)
	[ "$p" -gt 0 ] || f=$((f + 1))
	count "$name" "$p" "$f"
}

step build make -j2 B="$B" all unit
if [ "$failed" -gt 0 ]; then
	echo "$passed passed, $failed failed"
	exit 1
fi
step pure make B="$B" pure
step tidy make B="$B" tidy
step lint make -j2 B="$B" lint
unit unit "$B"
tally sim "$B/raftfs-sim" --seeds "${SEEDS:-200}"
tally rules-found python3 tests/sim/mutants.py --find
tally replay make --no-print-directory B="$B" replay
tally clocksim "$B/raftfs-clocksim" --check --seeds 1
tally system bash tests/system/run.sh
step build-asan make -j2 B="$B/asan" SAN=address,undefined CFLAGS='-O1 -g' \
	unit "$B/asan/raftfs-sim"
unit unit-asan "$B/asan"
tally sim-asan "$B/asan/raftfs-sim" --seeds 12
step build-clang make -j2 B="$B/clang" CC=clang all
if [ -n "${FULL:-}" ]; then
	step lint-deep make -j2 B="$B" LINT_DEPTH=deep lint-c
	step build-tsan make -j2 B="$B/tsan" SAN=thread CFLAGS='-O1 -g' unit
	TSAN_OPTIONS="suppressions=$PWD/tests/tsan.txt" \
		unit unit-tsan "$B/tsan"
	tally fuzz make B="$B" SECONDS=20 fuzz
	tally sim-long "$B/raftfs-sim" --seed 100000 --seeds 2000
fi

[ "$failed" -eq 0 ] || printf 'FAILED %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
