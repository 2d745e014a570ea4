/* What a run of the clock simulator is made of, as data. */
#ifndef RAFTFS_TESTS_CLOCKSIM_SCENARIO_H
#define RAFTFS_TESTS_CLOCKSIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

/* Comparisons: figures are measured from warm_s on, over all nodes that do not
 * carry the timeline. */
struct scenario {
	const char *name;
	const char *about;
	uint32_t nodes;
	uint32_t seconds;
	uint32_t warm_s;
	/* network: one way */
	double delay_us;
	double jitter_us; /* mean of an exponential */
	double loss;
	double burst_us; /* mean queue on ways from node 1 while it lasts */
	double burst_s, calm_s;
	double attack_us; /* added on the way from node 1 to 2 while it lasts */
	bool probes; /* the kernel tells TCP's round trips, which nobody delays */
	bool regions; /* three: 0.1, 30 and 80 ms */
	/* oscillators */
	double wander_ppb;   /* sigma of a step each second */
	bool leader_wanders; /* else node 1's rate is true */
	double start_ppm;    /* rates at first: within +- this */
	/* core settings */
	double sync_interval_s;
	double target_bound_us;
	uint32_t burst;
	uint32_t max_rate_ppm;
	bool ruled;	     /* nobody elects: the mesh rule */
	bool pairwise;	     /* error: from one another, not from the truth */
	double recovered_us; /* |error| that counts as recovered */
	void (*each_second)(struct sim *sim, uint32_t second);
	/* What it must reach, mean of a few seeds; 0: nothing asked. */
	struct {
		double rms_us, max_us, bound_mean_us, recover_s, usable_s;
	} target;
};

/* All of them; ends with a NULL name. */
extern const struct scenario scenarios[];

const struct scenario *scenario_by_name(const char *name);

#endif
