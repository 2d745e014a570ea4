/* The reading of the clock page, for inlining: what clockpage.c exports and
 * what rfsclock.c does on its hot path, where a call costs as much as the work.
 */
#ifndef RAFTFS_SHM_CLOCKREAD_H
#define RAFTFS_SHM_CLOCKREAD_H

#include <stdbool.h>

#include "common/units.h"
#include "shm/clockpage.h"
#include "shm/seqlock.h"

#define CLOCKREAD_INLINE static inline __attribute__((always_inline))

CLOCKREAD_INLINE void clockread_brief(const struct clockpage *page,
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

CLOCKREAD_INLINE void clockread_rest(const struct clockpage *page,
				     struct clock_sample *s)
{
	s->wall_offset_ns = SEQLOCK_GET(page->wall_offset_ns);
	s->part_delay_ns = SEQLOCK_GET(page->part_delay_ns);
	s->part_dispersion_ns = SEQLOCK_GET(page->part_dispersion_ns);
	s->part_drift_ns = SEQLOCK_GET(page->part_drift_ns);
	s->part_unslewed_ns = SEQLOCK_GET(page->part_unslewed_ns);
}

CLOCKREAD_INLINE void clockread_copy_brief(struct clock_sample *to,
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
CLOCKREAD_INLINE enum rfs_err clockread_page(const struct clockpage *page,
					     struct clock_sample *sample,
					     bool brief)
{
	struct clock_sample seen;
	uint32_t before;

	if (page->head.magic != CLOCKPAGE_MAGIC ||
	    page->head.version != CLOCKPAGE_VERSION)
		return RFS_ERR_VERSION;

	for (int tries = 0; tries < CLOCKPAGE_RETRY_MAX; tries++) {
		if (!seqlock_read_begin(&page->seq, &before))
			continue;
		clockread_brief(page, &seen);
		if (!brief)
			clockread_rest(page, &seen);
		if (!seqlock_read_end(&page->seq, before))
			continue;
		if (brief)
			clockread_copy_brief(sample, &seen);
		else
			*sample = seen;
		return RFS_ERR_OK;
	}
	return RFS_ERR_BUSY;
}

/* units_scale_ppb() without a 128-bit division where the product fits: ages up
 * to 18 minutes, rates up to 0.8 %. */
CLOCKREAD_INLINE int64_t clockread_scale(int64_t age_ns, int64_t ppb)
{
	if (age_ns < INT64_C(1) << 40 && ppb < 1 << 23 && ppb > -(1 << 23))
		return age_ns * ppb / PPB;
	return units_scale_ppb(age_ns, ppb);
}

/* clock_sample_at(). */
CLOCKREAD_INLINE struct interval clockread_at(const struct clock_sample *s,
					      int64_t raw_ns)
{
	const struct interval none = {.low_ns = INT64_MAX,
				      .high_ns = INT64_MIN};
	int64_t age_ns = raw_ns - s->asof_ns;

	if (s->quality != CLOCK_SYNCED && s->quality != CLOCK_HOLDOVER)
		return none;
	if (age_ns < 0 || raw_ns >= s->void_after_ns)
		return none;

	/* Both scalings round towards zero: two nanoseconds cover that. */
	int64_t at_ns =
		raw_ns + s->offset_ns + clockread_scale(age_ns, s->drift_ppb);
	int64_t bound_ns =
		s->bound_ns + clockread_scale(age_ns, s->growth_ppb) + 2;
	return (struct interval){at_ns - bound_ns, at_ns + bound_ns};
}

#endif
