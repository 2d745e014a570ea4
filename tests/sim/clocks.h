/* The clocks of one node: an oscillator nobody sees, the raw clock on top of
 * it, and a wall clock that may be wrong by seconds.
 *
 * The oscillator runs within the rate rule and is never disturbed; the raw
 * clock is the oscillator plus a constant that a reboot, suspend or jump
 * changes. A timeline anchored to a node's clock goes on by its oscillator,
 * whatever became of the node: that is the truth bounds are compared with.
 */
#ifndef RAFTFS_TESTS_SIM_CLOCKS_H
#define RAFTFS_TESTS_SIM_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct world;

struct sim_clock {
	int64_t true_ns;       /* start of the current stretch of even rate */
	int64_t oscillator_ns; /* reading then */
	int64_t rate_ppb;      /* from true time */
	int64_t limit_ppb;     /* |rate_ppb| stays within */
	int64_t raw_ahead_ns;  /* raw - oscillator */
	int64_t wall_ahead_ns; /* wall - true */
};

/* Random rate within the rule, epoch and wall offset. */
void clocks_init(struct world *world, struct sim_clock *clock);

int64_t clocks_oscillator(const struct sim_clock *clock, int64_t true_ns);
int64_t clocks_raw(const struct sim_clock *clock, int64_t true_ns);
int64_t clocks_wall(const struct sim_clock *clock, int64_t true_ns);

/* The first instant, not before now, at which the raw clock shows raw_ns or
 * more if its rate stays as it is. */
int64_t clocks_true_at(const struct sim_clock *clock, int64_t now_ns,
		       int64_t raw_ns);

/* Change of rate, from now on: a random walk within the limit. */
void clocks_wander(struct world *world, struct sim_clock *clock);
void clocks_set_rate(struct sim_clock *clock, int64_t now_ns, int64_t rate_ppb);

/* The raw clock starts at a new, arbitrary reading. */
void clocks_reboot(struct world *world, struct sim_clock *clock);

#endif
