/* How wrong a published clock can be, now and as time passes.
 *
 * The truth (cluster minus our raw) lies in an interval; the clock says one
 * number. What it can be wrong by is the distance to the further end, and that
 * grows by rho (the truth may move) plus the clock's own drift term.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_BOUND_H
#define RAFTFS_TIMESYNCD_CORE_BOUND_H

#include <stdint.h>

#include "common/interval.h"
#include "timesyncd/core/timesync.h"

/* A bound beyond this is of no use to anybody: UNSYNCED. */
#define BOUND_USABLE_NS NS_PER_SEC

/* Where the truth lies, and why the interval is as wide as it is. */
struct bound_witness {
	int64_t at_ns;		/* our raw instant `truth` speaks of */
	struct interval truth;	/* cluster minus our raw */
	int64_t delay_ns;	/* round trip of the exchange behind it */
	int64_t dispersion_ns;	/* server's own bound and the precision */
	int64_t measured_ns;	/* our raw instant of that exchange */
};

/* The witness's interval at a later raw instant. */
struct interval bound_truth_at(const struct bound_witness *witness,
			       int64_t raw_ns, int64_t rho_ppb);

/* Fill bound_ns, growth_ppb and the four parts (which add up to bound_ns) of a
 * clock whose asof_ns, offset_ns and drift_ppb are set. */
void bound_fill(struct timesync_clock *clock,
		const struct bound_witness *witness, int64_t rho_ppb);

/* Raw instant at which the clock's bound passes BOUND_USABLE_NS. */
int64_t bound_useless_at_ns(const struct timesync_clock *clock);

#endif
