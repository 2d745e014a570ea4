/* CLOCK_MONOTONIC_RAW as a line over the time stamp counter, from readings of
 * both, with a proven error.
 *
 * Where the kernel's clock is the TSC, raw is a linear function of it, of a
 * constant rate the kernel does not tell. A reading of raw between two of the
 * TSC pins a point of the line; two points far apart pin its rate: the longer
 * since the first, the better. All readings are true of one line, so the rates
 * they allow intersect; an empty intersection proves that it is another line
 * now (the kernel changed its clock, a machine was restored), and all that was
 * learnt before is dropped.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_TSCLINE_H
#define RAFTFS_TIMESYNCD_CORE_TSCLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* raw was read after `before` and not later than `after`. */
struct tscline_reading {
	uint64_t before, after;
	int64_t raw_ns;
};

/* Rates are nanoseconds a cycle, in 2^-64. */
struct tscline {
	bool has_first;
	struct tscline_reading first;
	bool known; /* the rates below */
	uint64_t rate_low, rate_high;
	uint32_t breaks; /* of the line, so far */
};

/* raw at `base` is within error_ns of raw_ns, and rises by rate, give or take
 * rate_error, a cycle. */
struct tscline_point {
	uint64_t base;
	int64_t raw_ns;
	int64_t error_ns;
	uint64_t rate, rate_error;
};

/* Forget everything but the count of breaks. */
void tscline_reset(struct tscline *line);

/* One more reading. False: the line broke; what was known is dropped. */
bool tscline_add(struct tscline *line, const struct tscline_reading *reading);

/* The line at a reading just added. BUSY: the rate is not known yet. */
RFS_MUST_USE enum rfs_err tscline_at(const struct tscline *line,
				     const struct tscline_reading *reading,
				     struct tscline_point *point);

#endif
