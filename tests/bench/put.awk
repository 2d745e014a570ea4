# Where one write's microseconds go, from the calls of all processes in order of
# time (tests/system/shim/calls.c). `driver`, `player` (of the leader), `leader`
# and `followers` (two, by a comma) are process ids.
function median(list, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return list[int((n + 1) / 2)]
}
function tell(name, what,    i, list) {
	for (i = 1; i <= writes; i++)
		list[i] = span[name, i]
	printf "figure raft.put.1.%s_us %.1f\n", name, median(list, writes)
	printf "  %6.1f us  %s\n", median(list, writes), what >"/dev/stderr"
}
function keep(now) {
	if (!in_leader || !sent || !acked || !told || !heard[ahead] ||
	    !paged[ahead] || !synced[ahead] || !durable[ahead])
		return
	writes++
	span["in", writes] = in_leader - asked
	span["send", writes] = sent - in_leader
	span["to_follower", writes] = heard[ahead] - sent
	span["to_disk", writes] = paged[ahead] - heard[ahead]
	span["write", writes] = synced[ahead] - paged[ahead]
	span["sync", writes] = durable[ahead] - synced[ahead]
	span["from_disk", writes] = said[ahead] - durable[ahead]
	span["to_leader", writes] = acked - said[ahead]
	span["commit", writes] = told - acked
	span["out", writes] = now - told
	span["whole", writes] = now - asked
}
function begin(now) {
	asked = now
	in_player = in_leader = sent = acked = told = ahead = 0
	delete heard; delete paged; delete synced; delete durable; delete said
}
BEGIN {
	split(followers, f, ",")
	for (i in f)
		follower[f[i]] = 1
}
{
	now = $1 / 1000; pid = $2 + 0; what = $3
}
pid == driver && what == "give" { begin(now); next }
!asked { next }
pid == driver && what == "got" { keep(now); asked = 0; next }
pid == player && what == "got" && !in_player { in_player = now; next }
pid == leader && what == "got" && in_player && !in_leader {
	in_leader = now; next
}
pid == leader && what == "gave" && in_leader && !sent { sent = now; next }
pid == leader && what == "got" && ahead && !acked { acked = now; next }
pid == leader && what == "hand" && acked && !told { told = now; next }
pid in follower && sent {
	if (what == "got" && !heard[pid]) heard[pid] = now
	else if (what == "page" && heard[pid]) {
		if (!paged[pid]) paged[pid] = now
	} else if (what == "sync" && paged[pid] && !synced[pid])
		synced[pid] = now
	else if (what == "done" && synced[pid] && !durable[pid])
		durable[pid] = now
	else if (what == "give" && durable[pid] && !said[pid]) {
		said[pid] = now
		if (!ahead) ahead = pid
	}
}
END {
	if (!writes) {
		print "no write was seen whole" >"/dev/stderr"
		exit 1
	}
	printf "%d writes of one client, medians:\n", writes >"/dev/stderr"
	tell("in", "client -> storaged -> raftd of the leader")
	tell("send", "the step, and the first message encrypted and sent")
	tell("to_follower", "until the quicker follower has read it")
	tell("to_disk", "its step, and the hand-over to its writer thread")
	tell("write", "the records copied and written")
	tell("sync", "fdatasync, three nodes on one disk")
	tell("from_disk", "the hand-over back, and its step")
	tell("to_leader", "its word encrypted, sent, and read by the leader")
	tell("commit", "until a majority has said so, and the entry is told")
	tell("out", "raftd -> storaged -> client")
	tell("whole", "the whole")
}
