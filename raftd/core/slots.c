/* Elections that do not collide: followers stand in turn, on cluster time.
 *
 *	leader's last word	  turns of slots of width w on cluster time
 *	|<------ timeout ------>|...|1|2|3|1|2|3|..
 *				    ^ here who is first in line stands, and
 *				      the next one only a slot later
 *
 * All nodes cut the same time line into the same turns and slots, and each
 * stands in its own of the first whole turn, so that the one before it has been
 * heard. Their order is what the leader last told them (fitness.h): who would
 * be of most use comes first. Who was told nothing counts on from the leader. w
 * is beyond twice the bound and a round trip; rounded up to a power of two,
 * since each node knows these a little differently.
 *
 * This only shifts a deadline within the span in which it would be drawn at
 * random otherwise, and only for the first attempt: a wrong cluster clock can
 * bring back collisions, never keep them coming (I12).
 */
#include "raftd/core/internal.h"

#include "common/check.h"

/* What is too wide for the timeout need not be exact. */
static uint64_t slots_width_ns(const struct raft *raft, int64_t timeout_ns)
{
	const struct interval *time = &raft->now.cluster;
	uint64_t least_ns = (uint64_t)time->high_ns - (uint64_t)time->low_ns;
	uint64_t width_ns = 1;

	if (least_ns > (uint64_t)timeout_ns)
		return least_ns;
	least_ns += (uint64_t)rtt_over_quorum_ns(raft);
	while (width_ns <= least_ns)
		width_ns *= 2;
	return width_ns;
}

/* One slot for each voter that does not lead. */
static uint32_t slots_count(const struct raft *raft)
{
	uint32_t leader = members_position(&raft->members, raft->leader);

	return members_voter_count(&raft->members) -
	       members_votes(&raft->members, leader);
}

/* From 0, below slots_count(). */
static uint32_t slots_rank(const struct raft *raft)
{
	uint32_t told = raft->fitness.rank;
	uint32_t rank = 0;

	if (told > 0 && told <= slots_count(raft))
		return told - 1;
	for (uint32_t i = 0; i < raft->members.count; i++) {
		uint32_t id = raft->members.ids[i];
		bool wraps = raft->config.self < raft->leader;
		bool after_leader = id > raft->leader;
		bool before_self = id < raft->config.self;

		if (members_votes(&raft->members, i) && id != raft->leader &&
		    (wraps ? after_leader || before_self
			   : after_leader && before_self))
			rank++;
	}
	return rank;
}

const char *slots_why_not(const struct raft *raft, int64_t timeout_ns)
{
	const struct interval *time = &raft->now.cluster;

	if (raft->role == RAFT_LEADER)
		return "it leads";
	if (raft->role != RAFT_FOLLOWER || raft->leader == RAFT_NOBODY)
		return "a first attempt failed";
	if (!members_votes(&raft->members, raft->self_position))
		return "it does not vote";
	if (!raft->now.usable || interval_is_empty(*time))
		return "there is no cluster time";
	if (rtt_over_quorum_ns(raft) == 0)
		return "no round trips are known";
	if (slots_width_ns(raft, timeout_ns) >
	    (uint64_t)timeout_ns / slots_count(raft) / 2)
		return "bound and round trip are too wide for the timeout";
	return "";
}

bool slots_wait_ns(const struct raft *raft, int64_t timeout_ns,
		   int64_t *wait_ns)
{
	const struct interval *time = &raft->now.cluster;

	if (slots_why_not(raft, timeout_ns)[0] != '\0')
		return false;

	uint32_t count = slots_count(raft);
	uint64_t slot_ns = slots_width_ns(raft, timeout_ns);

	CHECK(count > 0);

	int64_t width_ns = (int64_t)slot_ns;
	int64_t turn_ns = width_ns * count;
	int64_t from_ns = time->low_ns + (time->high_ns - time->low_ns) / 2;

	from_ns = (from_ns % turn_ns + timeout_ns % turn_ns) % turn_ns;
	*wait_ns = (turn_ns - from_ns) % turn_ns + slots_rank(raft) * width_ns;
	CHECK(*wait_ns < timeout_ns);
	return true;
}
