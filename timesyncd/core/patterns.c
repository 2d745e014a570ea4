/* Lines about drift, wander and steps. */
#include "timesyncd/core/patterns.h"

#include <inttypes.h>

#include "common/units.h"

/* Over before it is told over: not a line at each crossing. */
#define OVER 0.9
/* Per square root of a second: crystals walk by 1 ppb or so. A walk beyond the
 * first is told, below the second it is over. */
#define RESTLESS_PPB 100.0
#define QUIET_PPB    20.0

static void watch_drift(struct patterns *patterns, const struct filter *filter,
			double limit_ppb, uint32_t id, const struct story *to)
{
	double drift_ppb = filter_drift_ppb(filter);
	double size_ppb = drift_ppb < 0 ? -drift_ppb : drift_ppb;

	if (!filter->drift_known)
		return;
	if (!patterns->drifting && size_ppb > limit_ppb) {
		patterns->drifting = true;
		story(to,
		      "node %" PRIu32 " drifts by %.1f ppm, beyond "
		      "drift_threshold",
		      id, drift_ppb / 1000);
	} else if (patterns->drifting && size_ppb < OVER * limit_ppb) {
		patterns->drifting = false;
		story(to, "node %" PRIu32 " drifts by %.1f ppm again", id,
		      drift_ppb / 1000);
	}
}

static void watch_wander(struct patterns *patterns, const struct filter *filter,
			 int64_t raw_ns, uint32_t id, const struct story *to)
{
	double wander_ppb = filter->corridor.wander_ppb;

	if (patterns->restless && wander_ppb > patterns->worst_ppb)
		patterns->worst_ppb = wander_ppb;
	if (!patterns->restless && wander_ppb > RESTLESS_PPB) {
		patterns->restless = true;
		patterns->since_ns = raw_ns;
		patterns->worst_ppb = wander_ppb;
		story(to,
		      "node %" PRIu32 ": its rate wanders by %.0f ppb a "
		      "second",
		      id, wander_ppb);
	} else if (patterns->restless && wander_ppb < QUIET_PPB) {
		patterns->restless = false;
		story(to,
		      "node %" PRIu32 ": its rate is steady again; it wandered "
		      "for %" PRId64 " s, by up to %.0f ppb a second",
		      id, (raw_ns - patterns->since_ns) / NS_PER_SEC,
		      patterns->worst_ppb);
	}
}

/* Steps while a drift is being learnt are no news. */
static void watch_steps(struct patterns *patterns, const struct filter *filter,
			uint32_t id, const struct story *to)
{
	uint64_t steps = filter->corridor.surprises;

	if (steps > patterns->steps_told && patterns->drift_known)
		story(to, "node %" PRIu32 ": its rate or the way to it changed",
		      id);
	patterns->steps_told = steps;
	patterns->drift_known = filter->drift_known;
}

void patterns_watch_path(struct patterns *patterns, bool doubtful,
			 int64_t delay_ns, int64_t tcp_rtt_ns, int64_t raw_ns,
			 uint32_t id, const struct story *to)
{
	if (doubtful && !patterns->doubting) {
		patterns->doubt_since_ns = raw_ns;
		patterns->slowest_ns = 0;
		story(to,
		      "node %" PRIu32 ": time packets take %.3f ms, TCP takes "
		      "%.3f ms: somebody delays them, or they queue; in doubt",
		      id, (double)delay_ns / NS_PER_MS,
		      (double)tcp_rtt_ns / NS_PER_MS);
	} else if (!doubtful && patterns->doubting) {
		story(to,
		      "node %" PRIu32 ": time packets are no longer far slower "
		      "than TCP; they were for %" PRId64 " s, up to %.3f ms",
		      id, (raw_ns - patterns->doubt_since_ns) / NS_PER_SEC,
		      (double)patterns->slowest_ns / NS_PER_MS);
	}
	patterns->doubting = doubtful;
	if (delay_ns > patterns->slowest_ns)
		patterns->slowest_ns = delay_ns;
}

void patterns_watch(struct patterns *patterns, const struct filter *filter,
		    double drift_limit_ppb, int64_t raw_ns, uint32_t id,
		    const struct story *to)
{
	watch_drift(patterns, filter, drift_limit_ppb, id, to);
	watch_wander(patterns, filter, raw_ns, id, to);
	watch_steps(patterns, filter, id, to);
}
