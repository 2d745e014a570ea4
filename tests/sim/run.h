/* One seed from beginning to end. */
#ifndef RAFTFS_TESTS_SIM_RUN_H
#define RAFTFS_TESTS_SIM_RUN_H

#include "tests/sim/world.h"

/* Build a cluster, let faults strike for options->duration_ns, heal it, and
 * see it recover. Does not return after a violation (see world_violate());
 * result->finished and result->digest are set otherwise. */
void run_seed(const struct sim_options *options, struct sim_result *result);

#endif
