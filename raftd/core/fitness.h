/* Is this leader of use, and who would be a better one?
 *
 * A leader can be useless although its raft works: its log cannot grow, its
 * storaged is gone or hangs, its clock is of no use or contradicted by most of
 * the others, its disk is much slower than theirs. It then hands over (thesis
 * 3.10), with its lease given up, to the best follower - never to one that is
 * no better, and not again and again: a reason must last, two hand-overs are
 * seconds apart at least, and each makes the next one rarer.
 *
 * What is known of followers: their own word in every answer, and how long
 * they take to make entries durable, measured against this node's own disk by
 * the same clock and over the same entries. All durations are raw (I12).
 */
#ifndef RAFTFS_RAFTD_CORE_FITNESS_H
#define RAFTFS_RAFTD_CORE_FITNESS_H

#include <stdint.h>

#include "raftd/core/raft.h"

struct raft;
struct peer;
struct rtt;

struct fitness {
	uint32_t host;		  /* RAFT_UNFIT_*: the host's word */
	int64_t clock_lost_raw_ns; /* when it became unusable; 0: it is not */
	int64_t contradicted_raw_ns; /* following: when a stamp last was; 0 */
	uint32_t rank; /* following: our place in line, from 1; 0: not told */

	/* Leading. */
	int64_t look_raw_ns;   /* when to look again */
	uint32_t reasons;      /* RAFT_UNFIT_*, as of the last look */
	int64_t since_raw_ns;  /* how long there is one without a break */
	int64_t again_raw_ns;  /* no hand-over before */
	int64_t again_ns;      /* the next distance */
	struct raft_handed_over last;
};

void fitness_start_leading(struct raft *raft);

/* What a follower reports of itself: RAFT_UNFIT_* and RAFT_CONTRADICTS. */
uint32_t fitness_condition(const struct raft *raft);

/* Follower: a stamp cannot be; leader: what one reported. */
void fitness_contradict(struct raft *raft);
void fitness_hear(struct raft *raft, struct peer *peer, uint32_t condition);

/* A disk took so long, ours or a follower's: three in a row make it slow. */
void fitness_note_disk(struct rtt *disk, int64_t took_ns);

/* How long entries appended now will take to be durable, as far as is known:
 * on average lately, and at least as long as one has been waiting already. */
int64_t fitness_disk_ns(const struct raft *raft);
int64_t fitness_peer_disk_ns(const struct raft *raft, uint32_t position);

/* Nobody took over: no reason to wait long before the next attempt. */
void fitness_kept(struct raft *raft);

/* Leader, in every step: hand over if it is time. */
void fitness_look(struct raft *raft);

/* Who should lead next; RAFT_NOBODY: nobody is alive and of use. */
uint32_t fitness_successor(const struct raft *raft);

/* First in line whatever it is worth; RAFT_NOBODY: no other voter. */
uint32_t fitness_heir(const struct raft *raft);

/* A follower's place in line for the next election, from 1; 0: no voter. */
uint32_t fitness_rank(const struct raft *raft, uint32_t position);

#endif
