#!/usr/bin/env bash
# Every node loses one packet in ten: writes and reads go on, nothing
# acknowledged is lost, and the clocks' intervals still agree.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

world 3
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
for n in 1 2 3; do
	lossy "$n" 10
	ok "n$n loses one packet in ten" $?
done
load 12
"$B/tests/system/overlap" "$W/n1/run/clock.page" 0 \
	"$W/n2/run/clock.page" 0 "$W/n3/run/clock.page" 0 >"$W/overlap"
ok "the published intervals agree meanwhile" $?
head -c 3000000 /dev/urandom >"$W/big"
rfs 2 put "$W/big" /big
ok "a large file goes in" $?
rfs 3 cat /big | cmp - "$W/big"
ok "and comes out elsewhere" $?
prove_load
ok "nothing acknowledged is lost, on any node" $?
dropped=$(in_node 1 nft list chain inet cut input | grep -c 'jump loss')
[ "$dropped" = 1 ] && in_node 1 nft list chain inet cut loss | grep -q numgen
ok "packets were lost all the while" $?
