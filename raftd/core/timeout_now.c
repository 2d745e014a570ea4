/* Leadership transfer (thesis 3.10): catch the successor up, then tell it to
 * stand at once.
 *
 * Meanwhile nothing new is appended and no read is answered by lease. The lease
 * is given up by an entry (I10), so that the successor need not wait it out. If
 * nobody takes over, the leader goes on, and has a lease again once an entry
 * after that one is committed: then it is in every successor's log, which so
 * does not end in the one that gives up.
 */
#include "raftd/core/internal.h"

#include "common/check.h"

#define TRANSFER_TIMEOUTS 4

void transfer_end(struct raft *raft)
{
	raft->transfer_to = RAFT_NOBODY;
	raft->transfer_sent = false;
	raft->transfer_deadline_raw_ns = RAFT_NEVER;
}

/* Only once an entry of ours is committed: before that an earlier leader's
 * lease may hold, which is not ours to give up. */
static void transfer_relinquish(struct raft *raft)
{
	if ((raft->window.lease.duration_ns == 0 &&
	     raft->window.lease.past_ns == 0) ||
	    raft->commit_index < raft->term_first_index ||
	    raft_append_own(raft, RAFT_ENTRY_RELINQUISH, NULL, 0) != RFS_ERR_OK)
		return;
	raft->relinquished_index = log_last_index(&raft->log);
	raft_story(raft, "gives the lease up  entry %llu",
		   (unsigned long long)raft->relinquished_index);
}

/* Meanwhile clients wait. It has to store what we store now, then its vote, and
 * others have to store theirs. */
static int64_t transfer_patience_ns(const struct raft *raft, uint32_t peer)
{
	uint32_t at = members_position(&raft->members, peer);
	int64_t disks_ns = 4 * fitness_peer_disk_ns(raft, at) +
			   2 * fitness_disk_ns(raft);
	int64_t patience_ns = TRANSFER_TIMEOUTS * rtt_election_timeout_ns(raft) +
			      disks_ns;

	if (patience_ns > raft->config.election_timeout_max_ns)
		return raft->config.election_timeout_max_ns;
	return patience_ns;
}

void transfer_at_once(struct raft *raft)
{
	uint32_t peer = fitness_successor(raft);

	if (peer == RAFT_NOBODY)
		return;
	raft_story(raft, "tells %u to stand  term %llu", peer,
		   (unsigned long long)raft->term);
	raft_send(raft, RAFT_MSG_TIMEOUT_NOW, peer);
}

void transfer_start(struct raft *raft, uint32_t peer)
{
	if (raft->role != RAFT_LEADER || peer == raft->config.self ||
	    !members_votes(&raft->members,
			   members_position(&raft->members, peer))) {
		raft->counters.messages_dropped++;
		return;
	}
	raft_story(raft, "hands over to %u  term %llu", peer,
		   (unsigned long long)raft->term);
	raft->transfer_to = peer;
	raft->transfer_sent = false;
	raft->transfer_deadline_raw_ns =
		raft->now.raw_ns + transfer_patience_ns(raft, peer);
	transfer_relinquish(raft);
	transfer_advance(raft);
}

void transfer_to_best(struct raft *raft)
{
	uint32_t heir = fitness_heir(raft);

	CHECK(heir != RAFT_NOBODY);
	transfer_start(raft, heir);
}

void transfer_advance(struct raft *raft)
{
	if (raft->transfer_to == RAFT_NOBODY)
		return;
	if (raft->now.raw_ns >= raft->transfer_deadline_raw_ns) {
		raft_story(raft, "%u did not take over", raft->transfer_to);
		fitness_kept(raft);
		transfer_end(raft);
		if (!election_may_stand(raft))
			become_follower(raft, raft->term, RAFT_NOBODY);
		return;
	}

	struct progress *p = &peer_meet(raft, raft->transfer_to)->progress;

	if (raft->transfer_sent ||
	    p->match_index != log_last_index(&raft->log))
		return;
	raft_send(raft, RAFT_MSG_TIMEOUT_NOW, raft->transfer_to);
	raft->transfer_sent = true;
}

void timeout_now_receive(struct raft *raft, const struct raft_message *m)
{
	if (raft->role != RAFT_FOLLOWER || m->term != raft->term ||
	    raft->leader != m->from || !election_may_stand(raft))
		return;
	if (raft->fitness.host != 0) {
		raft_story(raft, "is of no use as a leader now");
		return;
	}
	raft_story(raft, "told by %u to stand", m->from);
	election_start(raft, true);
}
