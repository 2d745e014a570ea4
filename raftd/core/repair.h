/* A node whose disk lost log entries it had promised: how it votes and answers
 * until it holds as much again (CTRL, FAST'18, in its simplest sound form).
 *
 * The host kept the log up to the first damaged record and remembers the floor:
 * (index, term) of the last entry this node ever made durable. Raft's safety
 * rests on one thing only that a lost entry did here: keep candidates without
 * it from winning. The floor goes on doing that. So, while the durable log ends
 * before the floor in log order (term first, then index), this node
 *
 *	votes for nobody whose log ends before the floor,
 *	never stands, not even when told to (TIMEOUT_NOW),
 *	tells its leader with every answer what it really holds, so that its
 *	match index there goes back and the entries are sent again.
 *
 * Once the durable log reaches the floor, Raft's own rule is as strict as the
 * floor was, and the floor is cleared. SAFETY.md R-7 has the argument.
 */
#ifndef RAFTFS_RAFTD_CORE_REPAIR_H
#define RAFTFS_RAFTD_CORE_REPAIR_H

#include "raftd/core/raft.h"

struct progress;

/* Start from what the host remembers; index 0: nothing was lost. */
void repair_start(struct raft *raft, const struct raft_floor *floor);

bool repair_is_active(const struct raft *raft);

/* Does a candidate whose log ends there keep what this node promised? */
bool repair_allows_vote(const struct raft *raft, uint64_t last_index,
			uint64_t last_term);

/* After every event: clear the floor when the durable log has reached it. */
void repair_advance(struct raft *raft);

/* Mark an answer to the leader with what we hold, while the floor stands. */
void repair_tell(const struct raft *raft, struct raft_message *reply);

/* Leader: take back what a follower no longer holds. Not the commit index:
 * for elections its promise stands as if it still held them. */
void repair_hear(struct raft *raft, struct progress *progress,
		 const struct raft_message *reply);

#endif
