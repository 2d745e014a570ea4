/* Who votes, and what a quorum of them agrees on. Static in this version. */
#ifndef RAFTFS_RAFTD_CORE_MEMBERS_H
#define RAFTFS_RAFTD_CORE_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "raftd/core/raft.h"

#define MEMBERS_NONE UINT32_MAX

struct members {
	uint32_t ids[RAFT_NODES_MAX]; /* ascending */
	uint32_t count;
};

/* Position of a node among the members, or MEMBERS_NONE. */
uint32_t members_position(const struct members *members, uint32_t id);

/* More than half. */
uint32_t members_quorum(const struct members *members);

/* One value per member: the highest that a quorum has reached. */
uint64_t members_reached(const struct members *members, const uint64_t *values);

/* Do the members whose bit (1 << position) is set form a quorum? */
bool members_is_quorum(const struct members *members, uint32_t bits);

/* "1,2" for those bits; into text, returned. */
#define MEMBERS_TEXT_MAX (RAFT_NODES_MAX * 11 + 1)
const char *members_text(const struct members *members, uint32_t bits,
			 char text[MEMBERS_TEXT_MAX]);

#endif
