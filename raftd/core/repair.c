/* Repair from peers: what a node with holes in its log may do. */
#include "raftd/core/repair.h"

#include "common/check.h"
#include "raftd/core/internal.h"

/* Section 5.4.1: later term, or the same and not shorter. */
static bool repair_reaches(const struct raft_floor *floor, uint64_t index,
			   uint64_t term)
{
	return term != floor->term ? term > floor->term : index >= floor->index;
}

bool repair_is_active(const struct raft *raft)
{
	return raft->floor.index != 0;
}

static bool repair_is_done(const struct raft *raft)
{
	uint64_t held = raft->durable_index;

	if (held < raft->snapshot.index)
		held = raft->snapshot.index;
	return repair_reaches(&raft->floor, held,
			      log_term_at(&raft->log, held));
}

void repair_start(struct raft *raft, const struct raft_floor *floor)
{
	CHECK((floor->index == 0) == (floor->term == 0));
	CHECK(floor->term <= raft->term);
	raft->floor = *floor;
	if (repair_is_active(raft))
		raft_story(raft, "lost entries  promised up to %llu of term %llu",
			   (unsigned long long)floor->index,
			   (unsigned long long)floor->term);
}

bool repair_allows_vote(const struct raft *raft, uint64_t last_index,
			uint64_t last_term)
{
	return !repair_is_active(raft) ||
	       repair_reaches(&raft->floor, last_index, last_term);
}

void repair_advance(struct raft *raft)
{
	if (!repair_is_active(raft))
		return;
	CHECK(raft->role == RAFT_FOLLOWER);
	if (!repair_is_done(raft))
		return;
	raft_story(raft, "holds again what it promised  entry %llu",
		   (unsigned long long)raft->durable_index);
	raft->floor = (struct raft_floor){ 0 };
	raft->hard_state_changed = true;
	raft->counters.repairs++;
}

void repair_tell(const struct raft *raft, struct raft_message *reply)
{
	uint64_t held = raft->durable_index;

	if (!repair_is_active(raft))
		return;
	if (held > raft->verified_index)
		held = raft->verified_index;
	reply->append_reply.lost = true;
	reply->append_reply.lost_after = held;
}

void repair_hear(struct raft *raft, struct progress *progress,
		 const struct raft_message *reply)
{
	if (!reply->append_reply.lost ||
	    reply->append_reply.lost_after >= progress->match_index)
		return;
	raft_story(raft, "%u lost entries  match %llu, was %llu", reply->from,
		   (unsigned long long)reply->append_reply.lost_after,
		   (unsigned long long)progress->match_index);
	progress->match_index = reply->append_reply.lost_after;
}
