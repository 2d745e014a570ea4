/* Steering the host's clock (CLOCK_REALTIME) to cluster time: by its rate
 * alone, never by a step.
 *
 * About once a second the difference is looked at, and the rate set to cluster
 * time's own plus a slew that takes away half of the difference in a second, or
 * as much as max_slew allows. More than SYSCLOCK_FAR_NS, at the start or after
 * somebody set the clock, goes in a hurry, by 5 % at most, down to
 * SYSCLOCK_NEAR_NS, with looks five times a second: a kernel that nobody
 * corrects any more goes on at its last rate. What the kernel's clock does at
 * frequency 0 (its tick is rounded) is learnt on the way. A difference beyond a
 * second is not slewed: it means that somebody has to set the clock.
 *
 * maxerror is what is certain: the distance to the far end of the interval.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_SYSCLOCK_H
#define RAFTFS_TIMESYNCD_CORE_SYSCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "timesyncd/core/timesync.h"

/* Faster, and conversions of kernel stamps do not hold (docs/CLOCK.md). */
#define SYSCLOCK_RATE_MAX_PPB 900000
#define SYSCLOCK_RATE_FAST_PPB 50000000
#define SYSCLOCK_FAR_NS	       NS_PER_MS
#define SYSCLOCK_NEAR_NS       (10 * NS_PER_US)

struct sysclock {
	int64_t max_slew_ppb;
	int64_t rate_ppb; /* as last ordered, on top of base_ppb */
	double base_ppb;  /* of the kernel's clock at frequency 0, learnt */
	bool looked;
	int64_t raw_ns, wall_ns; /* at the last look */
	bool steering; /* what was ordered last had a slew in it */
	bool too_far;  /* told */
	bool hurry;    /* looks are wanted five times a second */
	bool fast; /* the rate is, or was until the last look, beyond
		    * SYSCLOCK_RATE_MAX_PPB */
	struct story story;
};

struct sysclock_orders {
	bool set; /* false: nothing to do */
	int64_t rate_ppb; /* relative to the kernel's frequency 0 */
	bool synchronised; /* errors are true, STA_UNSYNC is to be cleared */
	int64_t maxerror_us, esterror_us;
};

/* rate_ppb: what the kernel is set to at first. */
void sysclock_init(struct sysclock *sysclock, int64_t max_slew_ppb,
		   int64_t rate_ppb, struct story story);

/* After each publication, and while in a `hurry` a few times a second; wall_ns
 * was read at raw_ns, to within half_ns. */
void sysclock_follow(struct sysclock *sysclock,
		     const struct timesync_clock *clock, int64_t raw_ns,
		     int64_t wall_ns, int64_t half_ns,
		     struct sysclock_orders *orders);

/* Somebody set the host's clock: look at it at once, and learn nothing from
 * what lies between. */
void sysclock_was_set(struct sysclock *sysclock);

/* The last orders before nobody gives any: no slew. */
void sysclock_leave(struct sysclock *sysclock,
		    const struct timesync_clock *clock,
		    struct sysclock_orders *orders);

/* How fast the host's clock may run against raw, either way, until orders are
 * set again. */
int64_t sysclock_pace_ppb(const struct sysclock *sysclock);

/* A rate as the kernel takes it: ticks of 100 ppm beside 10000, and the rest in
 * 2^-16 ppm. */
void sysclock_kernel_rate(int64_t rate_ppb, int64_t *tick, int64_t *freq);
int64_t sysclock_rate_ppb(int64_t tick, int64_t freq);

#endif
