/* Pairing raw with the TSC, and projecting the clock onto it. */
#include "timesyncd/fastline.h"

#include <string.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/tsc.h"
#include "common/units.h"

/* The page is written once a second at least. */
#define LIFE_NS (3 * NS_PER_SEC)
#define LOOK_EVERY_NS NS_PER_SEC
#define PAIR_TRIES 5
/* Cutting cluster_ns, half_ns and the two products to whole nanoseconds. */
#define ROUNDING_NS 4

void fastline_init(struct fastline *fast)
{
	*fast = (struct fastline){ .clocksource_fd = -1 };
	fast->invariant = tsc_is_invariant();
	if (fast->invariant)
		fast->clocksource_fd = tsc_open_clocksource();
	fast->is_clocksource = tsc_is_clocksource(fast->clocksource_fd);
	fast->looked_ns = clock_raw_ns();
	if (!fast->is_clocksource)
		log_info("clock readers use the portable path: %s",
			 fast->invariant ? "the kernel's clock is not the TSC" :
					   "no invariant TSC");
}

void fastline_fini(struct fastline *fast)
{
	if (fast->clocksource_fd >= 0)
		close(fast->clocksource_fd);
	fast->clocksource_fd = -1;
}

/* The kernel gives its TSC up, and seldom takes it back. */
static bool may_use_tsc(struct fastline *fast)
{
	int64_t raw_ns = clock_raw_ns();
	bool was = fast->is_clocksource;

	if (!fast->invariant)
		return false;
	if (raw_ns - fast->looked_ns < LOOK_EVERY_NS)
		return was;
	fast->looked_ns = raw_ns;
	fast->is_clocksource = tsc_is_clocksource(fast->clocksource_fd);
	if (was != fast->is_clocksource) {
		log_notice("the kernel's clock is %s the TSC",
			   was ? "no longer" : "now");
		tscline_reset(&fast->line);
	}
	return fast->is_clocksource;
}

/* The least interrupted of a few. */
static struct tscline_reading pair(void)
{
	struct tscline_reading best = { 0 };

	for (int i = 0; i < PAIR_TRIES; i++) {
		struct tscline_reading try;

		try.before = tsc_read();
		try.raw_ns = clock_raw_ns();
		try.after = tsc_read();
		if (i == 0 ||
		    try.after - try.before < best.after - best.before)
			best = try;
	}
	return best;
}

static uint64_t scale_rate(uint64_t rate, int64_t ppb)
{
	return (uint64_t)((__int128)rate * ppb / PPB);
}

void fastline_project(const struct tscline_point *point,
		      struct clock_sample *sample)
{
	struct clock_tsc *tsc = &sample->tsc;
	int64_t age_ns = point->raw_ns - sample->asof_ns;
	int64_t left_ns = sample->void_after_ns - point->raw_ns -
			  point->error_ns;
	uint64_t fastest = point->rate + point->rate_error;

	*tsc = (struct clock_tsc){ 0 };
	if (left_ns > LIFE_NS)
		left_ns = LIFE_NS;
	if ((sample->quality != CLOCK_SYNCED &&
	     sample->quality != CLOCK_HOLDOVER) ||
	    left_ns <= 0 || age_ns < 0)
		return;

	/* The drift bends what is not exact too: a few parts in a million of
	 * it, under the doubling. */
	*tsc = (struct clock_tsc){
		.base = point->base,
		.life = (uint64_t)(((unsigned __int128)(uint64_t)left_ns
				    << 64) /
				   fastest),
		.cluster_ns = point->raw_ns + sample->offset_ns +
			      units_scale_ppb(age_ns, sample->drift_ppb),
		.half_ns = sample->bound_ns +
			   units_scale_ppb(age_ns + point->error_ns,
					   sample->growth_ppb) +
			   point->error_ns +
			   units_scale_ppb(point->error_ns,
					   sample->drift_ppb < 0 ?
						   -sample->drift_ppb :
						   sample->drift_ppb) +
			   ROUNDING_NS,
		.mult = point->rate +
			scale_rate(point->rate, sample->drift_ppb),
		.growth = scale_rate(fastest, sample->growth_ppb) +
			  2 * point->rate_error + 2,
		.raw_ns = point->raw_ns,
		.raw_mult = point->rate,
	};
	tsc->error_ns = point->error_ns + 1 +
			(int64_t)((unsigned __int128)tsc->life *
					  point->rate_error >>
				  64);
}

void fastline_add(struct fastline *fast, struct clock_sample *sample)
{
	struct tscline_reading reading;
	struct tscline_point point;

	if (!may_use_tsc(fast))
		return;
	reading = pair();
	if (!tscline_add(&fast->line, &reading))
		log_notice("raw is no longer the line over the TSC it was: "
			   "clock readers use the portable path for a while");
	if (tscline_at(&fast->line, &reading, &point) == RFS_ERR_OK)
		fastline_project(&point, sample);
}
