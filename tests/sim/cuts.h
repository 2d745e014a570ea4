/* Shapes of partitions. Nodes by index; sides as bits, 1 << index. */
#ifndef RAFTFS_TESTS_SIM_CUTS_H
#define RAFTFS_TESTS_SIM_CUTS_H

#include "tests/sim/world.h"

/* One node hears nobody, is heard by nobody, or both. */
void cuts_one(struct world *world, uint32_t alone, bool in, bool out,
	      int64_t duration_ns);

void cuts_halves(struct world *world, uint32_t side, int64_t duration_ns);

/* Two nodes that cannot hear each other, both heard by the rest. */
void cuts_pair(struct world *world, uint32_t a, uint32_t b,
	       int64_t duration_ns);

/* Two halves, and one node that sees both. */
void cuts_bridge(struct world *world, uint32_t seer, uint32_t side,
		 int64_t duration_ns);

#endif
