/* Who counts, and what quorums agree on: a majority of the voters and, in a
 * joint membership, also one of the voters before (thesis 4.3).
 *
 * Positions are those in raft_membership.members: by id, ascending. Learners
 * have one too, and never count.
 */
#ifndef RAFTFS_RAFTD_CORE_MEMBERS_H
#define RAFTFS_RAFTD_CORE_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "raftd/core/raft.h"

#define MEMBERS_NONE UINT32_MAX

struct members {
	uint32_t ids[RAFT_NODES_MAX]; /* ascending */
	uint32_t count;
	uint32_t voters; /* bits by position */
	uint32_t before; /* 0: not joint */
};

void members_load(struct members *members,
		  const struct raft_membership *membership);

/* Position of a node among the members, or MEMBERS_NONE. */
uint32_t members_position(const struct members *members, uint32_t id);

/* Does this member vote, in either set? */
bool members_votes(const struct members *members, uint32_t position);
uint32_t members_voter_count(const struct members *members);

/* Is this node all that a quorum takes? */
bool members_is_alone(const struct members *members, uint32_t id);

/* One value per member: the highest that every quorum needed has reached. */
uint64_t members_reached(const struct members *members, const uint64_t *values);

/* Do the members whose bit (1 << position) is set form every quorum needed? */
bool members_is_quorum(const struct members *members, uint32_t bits);

/* "1,2" for those bits; into text, returned. */
#define MEMBERS_TEXT_MAX (RAFT_NODES_MAX * 11 + 1)
const char *members_text(const struct members *members, uint32_t bits,
			 char text[MEMBERS_TEXT_MAX]);

#endif
