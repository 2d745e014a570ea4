/* From a difference to a rate. */
#include "timesyncd/core/sysclock.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define LOOK_EVERY_NS (900 * NS_PER_MS)
#define LOOK_FAST_NS  (200 * NS_PER_MS)
#define TOO_FAR_NS    NS_PER_SEC
#define SLEW_SHARE    0.5 /* of the difference, per second */
#define FAST_SHARE    3.0
#define LEARN_SHARE   0.125
/* Beyond this it was not the kernel's rounding but somebody's hand. */
#define BASE_MAX_PPB  100000.0
#define TICK_PPB      100000
#define TICK_USUAL    10000

void sysclock_init(struct sysclock *s, int64_t max_slew_ppb, int64_t rate_ppb,
		   struct story story)
{
	*s = (struct sysclock){ .max_slew_ppb = max_slew_ppb,
				.rate_ppb = rate_ppb,
				.story = story };
}

static double clip(double v, double limit)
{
	return v > limit ? limit : v < -limit ? -limit : v;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void learn_base(struct sysclock *s, int64_t raw_ns, int64_t wall_ns)
{
	double elapsed_ns = (double)(raw_ns - s->raw_ns);
	double gained_ns = (double)((wall_ns - s->wall_ns) -
				    (raw_ns - s->raw_ns));
	double base_ppb = gained_ns / elapsed_ns * 1e9 - (double)s->rate_ppb;

	if (elapsed_ns > 10e9 || fabs(base_ppb) > BASE_MAX_PPB)
		return;
	s->base_ppb += LEARN_SHARE * (base_ppb - s->base_ppb);
}

static void note_far(struct sysclock *s, int64_t away_ns)
{
	bool too_far = llabs(away_ns) > TOO_FAR_NS;

	if (too_far && !s->too_far)
		story(&s->story, "this host's clock is %.3f s off and is not "
		      "slewed so far: set it once", (double)away_ns / -1e9);
	s->too_far = too_far;
}

/* Begun far away and ended near, so that what lies between is slewed in either
 * way, and no reading that was a little late starts it. */
static bool is_hurry(const struct sysclock *s, int64_t away_ns)
{
	if (s->too_far)
		return false;
	return llabs(away_ns) >
	       (s->hurry ? SYSCLOCK_NEAR_NS : SYSCLOCK_FAR_NS);
}

static void take_rate(struct sysclock *s, double rate_ppb, double limit_ppb)
{
	bool was_fast = llabs(s->rate_ppb) > SYSCLOCK_RATE_MAX_PPB;

	s->rate_ppb = llround(clip(rate_ppb, limit_ppb));
	s->fast = was_fast || llabs(s->rate_ppb) > SYSCLOCK_RATE_MAX_PPB;
}

static void set_rate(struct sysclock *s, const struct timesync_clock *clock,
		     int64_t away_ns)
{
	double own_ppb = (double)clock->drift_ppb - s->base_ppb;
	double limit_ppb = SYSCLOCK_RATE_MAX_PPB;
	double slew_ppb = clip((double)away_ns * SLEW_SHARE,
			       (double)s->max_slew_ppb);

	s->hurry = is_hurry(s, away_ns);
	if (s->too_far) {
		slew_ppb = 0;
	} else if (s->hurry) {
		limit_ppb = SYSCLOCK_RATE_FAST_PPB;
		slew_ppb = (double)away_ns * FAST_SHARE;
	}
	take_rate(s, own_ppb + slew_ppb, limit_ppb);
}

/* No bound: go on at cluster time's last rate, without the slew. The kernel
 * itself lets maxerror grow meanwhile. */
static void coast(struct sysclock *s, const struct timesync_clock *clock,
		  struct sysclock_orders *orders)
{
	s->hurry = false;
	if (!s->steering && clock->quality != TIMESYNC_DISRUPTED)
		return;
	s->steering = false;
	orders->set = true;
	orders->rate_ppb = s->rate_ppb;
}

void sysclock_follow(struct sysclock *s, const struct timesync_clock *clock,
		     int64_t raw_ns, int64_t wall_ns, int64_t half_ns,
		     struct sysclock_orders *orders)
{
	struct interval now = timesync_clock_at(clock, raw_ns);
	int64_t away_ns, error_ns;

	*orders = (struct sysclock_orders){ 0 };
	if (s->looked && raw_ns - s->raw_ns <
				 (s->hurry ? LOOK_FAST_NS : LOOK_EVERY_NS))
		return;
	if (s->looked)
		learn_base(s, raw_ns, wall_ns);
	s->looked = true;
	s->raw_ns = raw_ns;
	s->wall_ns = wall_ns;
	if (interval_is_empty(now)) {
		take_rate(s, (double)clock->drift_ppb - s->base_ppb,
			  SYSCLOCK_RATE_MAX_PPB);
		coast(s, clock, orders);
		return;
	}

	away_ns = now.low_ns + (now.high_ns - now.low_ns) / 2 - wall_ns;
	note_far(s, away_ns);
	set_rate(s, clock, away_ns);
	s->steering = true;
	error_ns = larger(llabs(wall_ns - now.low_ns),
			  llabs(now.high_ns - wall_ns));
	*orders = (struct sysclock_orders){
		.set = true,
		.rate_ppb = s->rate_ppb,
		.synchronised = !s->too_far,
		.maxerror_us = (error_ns + half_ns) / 1000 + 1,
		.esterror_us = llabs(away_ns) / 1000 + 1,
	};
}

void sysclock_was_set(struct sysclock *s)
{
	s->looked = false;
}

void sysclock_leave(struct sysclock *s, const struct timesync_clock *clock,
		    struct sysclock_orders *orders)
{
	s->rate_ppb = llround(clip((double)clock->drift_ppb - s->base_ppb,
				   SYSCLOCK_RATE_MAX_PPB));
	s->hurry = false;
	s->fast = false;
	*orders = (struct sysclock_orders){ .set = s->steering,
					    .rate_ppb = s->rate_ppb };
	s->steering = false;
}

int64_t sysclock_pace_ppb(const struct sysclock *s)
{
	return llabs(s->rate_ppb) + llround(fabs(s->base_ppb));
}

void sysclock_kernel_rate(int64_t rate_ppb, int64_t *tick, int64_t *freq)
{
	/* Whole ticks only where the frequency alone does not reach: its range
	 * is 500 ppm. */
	int64_t ticks = 0;

	if (llabs(rate_ppb) > 4 * TICK_PPB)
		ticks = rate_ppb / TICK_PPB;
	*tick = TICK_USUAL + ticks;
	*freq = (rate_ppb - ticks * TICK_PPB) * 65536 / 1000;
}

int64_t sysclock_rate_ppb(int64_t tick, int64_t freq)
{
	return (tick - TICK_USUAL) * TICK_PPB + freq * 1000 / 65536;
}
