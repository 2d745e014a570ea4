/* A set of seeds: each in a process of its own, then the sum.
 *
 * A seed that fails is run once more with its story kept, which prints the
 * report and shows that the seed replays: the digests must be equal. The first
 * seed of a set is always run twice for the same reason.
 */
#ifndef RAFTFS_TESTS_SIM_BATCH_H
#define RAFTFS_TESTS_SIM_BATCH_H

#include <sys/types.h>
#include <time.h>

#include "tests/sim/world.h"

struct batch {
	struct sim_options options; /* seed and node_count vary */
	uint64_t first_seed, seed_count;
	uint32_t nodes; /* 0: by seed */
	int scenario;	/* -1: mostly mixed, the others now and then */
	uint32_t jobs;
	bool stop;		    /* at the first seed that fails */
	time_t until;		    /* start no seed after; 0: no limit */
	struct sim_result *results; /* shared with the workers */
	uint64_t started;
	pid_t *workers; /* by seed number; 0: not running */
	uint64_t passed, failed;
};

/* By enum sim_scenario. */
extern const char *const batch_scenario_names[SCENARIO_COUNT];

/* Run them all and say how it went; true when every seed held, replayed, and a
 * set that is large enough exercised every rule. */
bool batch_run(struct batch *batch);

#endif
