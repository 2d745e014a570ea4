/* Messages in words, for the story of a run. */
#ifndef RAFTFS_TESTS_SIM_NARRATE_H
#define RAFTFS_TESTS_SIM_NARRATE_H

#include "raftd/core/raft.h"
#include "tests/sim/world.h"

/* A line of the story: how is "send" or "recv", node_id who does it. */
void narrate_message(struct world *world, const char *how, uint32_t node_id,
		     const struct raft_message *m);

#endif
