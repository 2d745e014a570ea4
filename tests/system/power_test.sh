#!/usr/bin/env bash
# The power of all nodes goes at one instant. Each node's data is on an ext4
# image of its own; what was not synced is not in the image, for the kernel
# writes nothing back in that time. The nodes go on from copies of the images
# as they were at that instant: nothing acknowledged may be lost.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

extra_conf='raft {
	segment = 8MiB
	snapshot_after_entries = 3000
}
storage {
	reserve = 8MiB
	map = 64MiB
}'
mount_image() { # N generation
	mount -o loop,commit=600 "$W/n$1/image$2" "$W/n$1/data"
}
world 3
for n in 1 2 3; do
	truncate -s 192M "$W/n$n/image0"
	mkfs.ext4 -q "$W/n$n/image0" && mount_image $n 0 || exit 1
	mounts+=("$W/n$n/data")
done
start 1 2 3
wait_until 60 serving
ok "a leader is elected" $?
load 12
head -c 300000 /dev/urandom >"$W/blob"
power_cut() { # generation
	local n all=
	for n in 1 2 3; do
		echo lost >"$W/n$n/data/not-synced$1"
		all="$all $(node_pids $n)"
	done
	# shellcheck disable=SC2086 # a list of pids
	kill -STOP $all
	sleep 0.2 # a sync that is in the kernel ends
	for n in 1 2 3; do
		cp --sparse=always "$W/n$n/image$(($1 - 1))" "$W/n$n/image$1"
	done
	for n in 1 2 3; do
		crash $n
		wait_until 5 umount "$W/n$n/data" || return 1
		rm "$W/n$n/image$(($1 - 1))"
		mount_image $n "$1" || return 1
	done
}
serves() { timeout 5 "$B/raftfs" -s "$W/n$1/run/files.sock" ls /; }
for cut in 1 2 3; do
	rfs $cut put "$W/blob" "/blob$cut"
	ok "a chunked file is acknowledged" $?
	sleep "0.$((cut * 3))"
	power_cut $cut
	ok "power cut $cut" $?
	! [ -s "$W/n1/data/not-synced$cut" ] && ! [ -s "$W/n2/data/not-synced$cut" ]
	ok "what was not synced is gone" $?
	start 1 2 3
	wait_until 30 serves 1
	ok "the nodes come back" $?
	rfs 1 cat "/blob$cut" | cmp - "$W/blob"
	ok "the acknowledged file is whole" $?
done
prove_load
ok "nothing acknowledged is lost, on any node" $?
