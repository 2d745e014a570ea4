/* Cross-readings of the three clocks, and what they show. */
#include "timesyncd/stamps.h"

#include "common/os/clock.h"
#include "common/units.h"

/* NTP daemons slew by up to 500 ppm; twice that is nobody's. */
#define SLEW_MAX_PPB 1000000
/* Two cross-readings may each have been interrupted for this long. */
#define READING_SLACK_NS (200 * NS_PER_US)
/* Boot time and raw differ by slewing only; a suspend shows as more. */
#define SUSPEND_MIN_NS (5 * NS_PER_MS)
#define STAMP_AGE_MAX_NS NS_PER_SEC

/* Of the process, as the clock is. */
static bool disbelieved;

void stamps_believe(bool believed)
{
	disbelieved = !believed;
}

void stamps_read(struct stamps *now)
{
	struct stamps best = { 0 };

	/* The least interrupted of three: the rest is queueing of ours. */
	for (int i = 0; i < 3; i++) {
		struct stamps try;

		try.raw_ns = clock_raw_ns();
		try.wall_ns = clock_wall_ns();
		try.boot_ns = clock_boot_ns();
		try.raw_after_ns = clock_raw_ns();
		if (i == 0 || try.raw_after_ns - try.raw_ns <
				      best.raw_after_ns - best.raw_ns)
			best = try;
	}
	*now = best;
}

static int64_t magnitude(int64_t v)
{
	return v < 0 ? -v : v;
}

/* By how much `now - last` differs on two clocks beyond what slewing may do,
 * 0 if not at all. */
static int64_t came_apart_ns(int64_t a_ns, int64_t raw_ns, int64_t slack_ns)
{
	int64_t apart_ns = magnitude(a_ns - raw_ns);
	int64_t allowed_ns =
		slack_ns +
		units_scale_ppb(raw_ns > 0 ? raw_ns : 0, SLEW_MAX_PPB);

	return apart_ns > allowed_ns ? apart_ns : 0;
}

enum stamps_finding stamps_compare(const struct stamps *last,
				   const struct stamps *now)
{
	int64_t raw_ns = now->raw_ns - last->raw_ns;
	int64_t slack_ns = READING_SLACK_NS +
			   (now->raw_after_ns - now->raw_ns) +
			   (last->raw_after_ns - last->raw_ns);

	if (raw_ns < 0 || came_apart_ns(now->boot_ns - last->boot_ns, raw_ns,
					slack_ns + SUSPEND_MIN_NS) > 0)
		return STAMPS_RAW_DISRUPTED;
	if (!disbelieved &&
	    came_apart_ns(now->wall_ns - last->wall_ns, raw_ns, slack_ns) > 0)
		return STAMPS_WALL_STEPPED;
	return STAMPS_FINE;
}

/* How long ago by the wall clock; negative: not to be believed. */
static int64_t believed_age_ns(const struct stamps *last,
			       const struct stamps *now, int64_t wall_stamp_ns)
{
	int64_t age_ns = now->wall_ns - wall_stamp_ns;

	if (disbelieved || wall_stamp_ns == 0 || age_ns > STAMP_AGE_MAX_NS ||
	    stamps_compare(last, now) != STAMPS_FINE)
		return -1;
	return age_ns;
}

bool stamps_arrival(const struct stamps *last, const struct stamps *now,
		    int64_t wall_stamp_ns, int64_t *raw_ns)
{
	int64_t age_ns = believed_age_ns(last, now, wall_stamp_ns);

	*raw_ns = now->raw_ns;
	if (age_ns < 0)
		return false;

	/* Wall was read after raw_ns and before raw_after_ns. */
	int64_t late_ns = now->raw_after_ns - age_ns +
			  units_scale_ppb(age_ns, SLEW_MAX_PPB) + 1;
	if (late_ns < *raw_ns)
		*raw_ns = late_ns;
	return true;
}

bool stamps_departure(const struct stamps *last, const struct stamps *now,
		      int64_t wall_stamp_ns, int64_t *raw_ns)
{
	int64_t age_ns = believed_age_ns(last, now, wall_stamp_ns);

	if (age_ns < 0)
		return false;
	*raw_ns = now->raw_ns - age_ns -
		  units_scale_ppb(age_ns, SLEW_MAX_PPB) - 1;
	return true;
}

int64_t stamps_precision_ns(void)
{
	int64_t least_ns = INT64_MAX;

	for (int i = 0; i < 100; i++) {
		int64_t before_ns = clock_raw_ns();
		int64_t cost_ns = clock_raw_ns() - before_ns;

		if (cost_ns > 0 && cost_ns < least_ns)
			least_ns = cost_ns;
	}
	return least_ns < NS_PER_MS ? least_ns : NS_PER_MS;
}
