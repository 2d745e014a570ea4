/* From an interval and an estimate to a bound, its parts and its end. */
#include "timesyncd/core/bound.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/units.h"
#include "timesyncd/core/exchange.h"

static int64_t max_ns(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t min_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct interval bound_truth_at(const struct bound_witness *witness,
			       int64_t raw_ns, int64_t rho_ppb)
{
	return exchange_age(witness->truth, raw_ns - witness->at_ns, rho_ppb);
}

static void fill_parts(struct timesync_clock *clock, int64_t half_ns,
		       const struct bound_witness *witness, int64_t rho_ppb)
{
	int64_t age_ns = max_ns(clock->asof_ns - witness->measured_ns, 0);
	int64_t left_ns = half_ns;

	/* Older exchanges may have cut the interval below the sum of the parts:
	 * what ages goes first, the round trip takes what is left. */
	clock->part_unslewed_ns = clock->bound_ns - half_ns;
	clock->part_drift_ns = min_ns(units_scale_ppb(age_ns, rho_ppb), left_ns);
	left_ns -= clock->part_drift_ns;
	clock->part_delay_ns = min_ns(witness->delay_ns / 2, left_ns);
	clock->part_dispersion_ns = left_ns - clock->part_delay_ns;
}

void bound_fill(struct timesync_clock *clock,
		const struct bound_witness *witness, int64_t rho_ppb)
{
	struct interval truth =
		bound_truth_at(witness, clock->asof_ns, rho_ppb);

	CHECK(!interval_is_empty(truth));
	clock->bound_ns = max_ns(clock->offset_ns - truth.low_ns,
				 truth.high_ns - clock->offset_ns);
	clock->growth_ppb = (uint32_t)(rho_ppb + llabs(clock->drift_ppb));
	fill_parts(clock, (truth.high_ns - truth.low_ns + 1) / 2, witness,
		   rho_ppb);
	CHECK(clock->bound_ns ==
	      clock->part_delay_ns + clock->part_dispersion_ns +
		      clock->part_drift_ns + clock->part_unslewed_ns);
}

int64_t bound_useless_at_ns(const struct timesync_clock *clock)
{
	int64_t left_ns = BOUND_USABLE_NS - clock->bound_ns;

	if (left_ns <= 0)
		return clock->asof_ns;
	if (clock->growth_ppb == 0)
		return INT64_MAX;
	return units_add_sat(clock->asof_ns,
			     (int64_t)((__int128)left_ns * PPB /
				       clock->growth_ppb));
}

struct interval timesync_clock_at(const struct timesync_clock *clock,
				  int64_t raw_ns)
{
	const struct interval none = { .low_ns = INT64_MAX,
				       .high_ns = INT64_MIN };
	int64_t age_ns = raw_ns - clock->asof_ns;

	if (clock->quality != TIMESYNC_SYNCED &&
	    clock->quality != TIMESYNC_HOLDOVER)
		return none;
	if (age_ns < 0 || raw_ns >= clock->void_after_ns)
		return none;

	/* Both scalings round towards zero: two nanoseconds cover that. */
	int64_t at_ns = raw_ns + clock->offset_ns +
			units_scale_ppb(age_ns, clock->drift_ppb);
	int64_t bound_ns = clock->bound_ns +
			   units_scale_ppb(age_ns, clock->growth_ppb) + 2;
	return (struct interval){ at_ns - bound_ns, at_ns + bound_ns };
}
