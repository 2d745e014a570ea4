/* Points, and the rates that all of them allow. */
#include "timesyncd/core/tscline.h"

#include "common/units.h"

/* A rate from points closer than this is hardly worth having. */
#define BASELINE_MIN_NS NS_PER_SEC
/* A reading interrupted for longer than this tells too little. */
#define WIDTH_MAX_CYCLES 20000u

void tscline_reset(struct tscline *line)
{
	*line = (struct tscline){ .breaks = line->breaks };
}

static bool breaks(struct tscline *line, const struct tscline_reading *reading)
{
	tscline_reset(line);
	line->breaks++;
	line->has_first = true;
	line->first = *reading;
	return false;
}

static uint64_t rate_of(int64_t ns, uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)(uint64_t)ns << 64) / cycles);
}

bool tscline_add(struct tscline *line, const struct tscline_reading *reading)
{
	const struct tscline_reading *first = &line->first;
	int64_t elapsed_ns = reading->raw_ns - first->raw_ns;

	if (reading->after - reading->before > WIDTH_MAX_CYCLES)
		return true;
	if (!line->has_first) {
		line->has_first = true;
		line->first = *reading;
		return true;
	}
	if (reading->before <= first->after || elapsed_ns < 0)
		return breaks(line, reading);
	if (elapsed_ns < BASELINE_MIN_NS)
		return true;

	uint64_t least = reading->before - first->after;
	uint64_t most = reading->after - first->before;

	/* raw is cut to whole nanoseconds, both times. A counter slower than
	 * 1 GHz does not fit, and is none of today's. */
	if ((uint64_t)elapsed_ns + 1 >= least)
		return breaks(line, reading);

	uint64_t low = rate_of(elapsed_ns - 1, most);
	uint64_t high = rate_of(elapsed_ns + 1, least) + 1;

	if (line->known && line->rate_low > low)
		low = line->rate_low;
	if (line->known && line->rate_high < high)
		high = line->rate_high;
	if (low > high)
		return breaks(line, reading);
	line->known = true;
	line->rate_low = low;
	line->rate_high = high;
	return true;
}

enum rfs_err tscline_at(const struct tscline *line,
			const struct tscline_reading *reading,
			struct tscline_point *point)
{
	uint64_t width = reading->after - reading->before;

	if (!line->known || width > WIDTH_MAX_CYCLES)
		return RFS_ERR_BUSY;

	/* raw was read up to `width` after base, and then cut. */
	int64_t width_ns = 1 + (int64_t)((unsigned __int128)width *
						 line->rate_high >>
					 64);

	*point = (struct tscline_point){
		.base = reading->before,
		.raw_ns = reading->raw_ns - width_ns / 2,
		.error_ns = width_ns / 2 + 2,
		.rate = line->rate_low +
			(line->rate_high - line->rate_low) / 2,
		.rate_error = (line->rate_high - line->rate_low) / 2 + 1,
	};
	return RFS_ERR_OK;
}
