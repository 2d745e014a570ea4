/* What a run showed: error, bound, packets, recovery. */
#ifndef RAFTFS_TESTS_CLOCKSIM_MEASURE_H
#define RAFTFS_TESTS_CLOCKSIM_MEASURE_H

#include <stdint.h>

#include "tests/clocksim/scenario.h"

/* Sums over all seeds of a scenario. */
struct measure {
	double square_sum_us2;
	uint64_t error_count;
	double max_us;
	uint64_t checks, violations;
	double bound_sum_us;
	uint64_t bound_count;
	double packets_per_s; /* of one node, sent */
	double requests_per_s;
	uint32_t runs;
	double recover_s;  /* the slowest; -1: not measured yet */
	double usable_s;   /* until every node's bound was below 1 ms */
	uint64_t unusable; /* readings without an interval, after warm_s */
};

void measure_init(struct measure *measure);

/* Run a scenario with one seed and add what it shows. */
void measure_run(struct measure *measure, const struct scenario *scenario,
		 uint64_t seed, int tracing);

double measure_rms_us(const struct measure *measure);

#endif
