/* Reading and publishing the clock page. */
#include "shm/clockpage.h"

#include <stdbool.h>

#include "common/units.h"
#include "shm/seqlock.h"

static inline void load_brief(const struct clockpage *page,
			      struct clock_sample *s)
{
	s->quality = (enum clock_quality)SEQLOCK_GET(page->quality);
	s->epoch = SEQLOCK_GET(page->epoch);
	s->asof_ns = SEQLOCK_GET(page->asof_ns);
	s->offset_ns = SEQLOCK_GET(page->offset_ns);
	s->bound_ns = SEQLOCK_GET(page->bound_ns);
	s->drift_ppb = SEQLOCK_GET(page->drift_ppb);
	s->growth_ppb = SEQLOCK_GET(page->growth_ppb);
	s->void_after_ns = SEQLOCK_GET(page->void_after_ns);
	s->disruptions = SEQLOCK_GET(page->disruptions);
}

static inline void load_rest(const struct clockpage *page,
			     struct clock_sample *s)
{
	s->wall_offset_ns = SEQLOCK_GET(page->wall_offset_ns);
	s->part_delay_ns = SEQLOCK_GET(page->part_delay_ns);
	s->part_dispersion_ns = SEQLOCK_GET(page->part_dispersion_ns);
	s->part_drift_ns = SEQLOCK_GET(page->part_drift_ns);
	s->part_unslewed_ns = SEQLOCK_GET(page->part_unslewed_ns);
}

static inline void copy_brief(struct clock_sample *to,
			      const struct clock_sample *from)
{
	to->quality = from->quality;
	to->epoch = from->epoch;
	to->asof_ns = from->asof_ns;
	to->offset_ns = from->offset_ns;
	to->bound_ns = from->bound_ns;
	to->drift_ppb = from->drift_ppb;
	to->growth_ppb = from->growth_ppb;
	to->void_after_ns = from->void_after_ns;
	to->disruptions = from->disruptions;
}

/* Two inlined copies: the brief one must not pay for the other's loads. */
static inline __attribute__((always_inline)) enum rfs_err
read_page(const struct clockpage *page, struct clock_sample *sample, bool brief)
{
	struct clock_sample seen;
	uint32_t before;

	if (page->head.magic != CLOCKPAGE_MAGIC ||
	    page->head.version != CLOCKPAGE_VERSION)
		return RFS_ERR_VERSION;

	for (int tries = 0; tries < CLOCKPAGE_RETRY_MAX; tries++) {
		if (!seqlock_read_begin(&page->seq, &before))
			continue;
		load_brief(page, &seen);
		if (!brief)
			load_rest(page, &seen);
		if (!seqlock_read_end(&page->seq, before))
			continue;
		if (brief)
			copy_brief(sample, &seen);
		else
			*sample = seen;
		return RFS_ERR_OK;
	}
	return RFS_ERR_BUSY;
}

enum rfs_err clockpage_read(const struct clockpage *page,
			    struct clock_sample *sample)
{
	return read_page(page, sample, false);
}

enum rfs_err clockpage_read_brief(const struct clockpage *page,
				  struct clock_sample *sample)
{
	return read_page(page, sample, true);
}

void clockpage_write(struct clockpage *page, const struct clock_sample *s)
{
	uint32_t odd = seqlock_write_begin(&page->seq);

	SEQLOCK_PUT(page->quality, (uint32_t)s->quality);
	SEQLOCK_PUT(page->epoch, s->epoch);
	SEQLOCK_PUT(page->asof_ns, s->asof_ns);
	SEQLOCK_PUT(page->offset_ns, s->offset_ns);
	SEQLOCK_PUT(page->bound_ns, s->bound_ns);
	SEQLOCK_PUT(page->drift_ppb, s->drift_ppb);
	SEQLOCK_PUT(page->growth_ppb, s->growth_ppb);
	SEQLOCK_PUT(page->void_after_ns, s->void_after_ns);
	SEQLOCK_PUT(page->disruptions, s->disruptions);
	SEQLOCK_PUT(page->wall_offset_ns, s->wall_offset_ns);
	SEQLOCK_PUT(page->part_delay_ns, s->part_delay_ns);
	SEQLOCK_PUT(page->part_dispersion_ns, s->part_dispersion_ns);
	SEQLOCK_PUT(page->part_drift_ns, s->part_drift_ns);
	SEQLOCK_PUT(page->part_unslewed_ns, s->part_unslewed_ns);
	seqlock_write_end(&page->seq, odd);
}

/* units_scale_ppb() without a 128-bit division where the product fits: ages up
 * to 18 minutes, rates up to 0.8 %. */
static inline int64_t scale(int64_t age_ns, int64_t ppb)
{
	if (age_ns < INT64_C(1) << 40 && ppb < 1 << 23 && ppb > -(1 << 23))
		return age_ns * ppb / PPB;
	return units_scale_ppb(age_ns, ppb);
}

struct interval clock_sample_at(const struct clock_sample *s, int64_t raw_ns)
{
	const struct interval none = { .low_ns = INT64_MAX,
				       .high_ns = INT64_MIN };
	int64_t age_ns = raw_ns - s->asof_ns;

	if (s->quality != CLOCK_SYNCED && s->quality != CLOCK_HOLDOVER)
		return none;
	if (age_ns < 0 || raw_ns >= s->void_after_ns)
		return none;

	/* Both scalings round towards zero: two nanoseconds cover that. */
	int64_t at_ns =
		raw_ns + s->offset_ns + scale(age_ns, s->drift_ppb);
	int64_t bound_ns = s->bound_ns + scale(age_ns, s->growth_ppb) + 2;
	return (struct interval){ at_ns - bound_ns, at_ns + bound_ns };
}
