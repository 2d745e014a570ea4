/* Reading and publishing the clock page. */
#include "shm/clockpage.h"

#include "common/check.h"
#include "common/units.h"
#include "shm/seqlock.h"

/* What a multiplier of 2^-64 can hold: half a second a second. */
#define RATE_MAX_PPB (PPB / 2)

/* Of one end: a product is cut to whole nanoseconds. */
#define ROUNDING_NS 2

static void read_tsc(const struct clockpage *page, struct clock_tsc *tsc)
{
	tsc->error_ns = SEQLOCK_GET(page->tsc_error_ns);
	tsc->base = SEQLOCK_GET(page->tsc_base);
	tsc->life = SEQLOCK_GET(page->tsc_life);
	tsc->cluster_ns = SEQLOCK_GET(page->tsc_cluster_ns);
	tsc->half_ns = SEQLOCK_GET(page->tsc_half_ns);
	tsc->mult = SEQLOCK_GET(page->tsc_mult);
	tsc->growth = SEQLOCK_GET(page->tsc_growth);
	tsc->raw_ns = SEQLOCK_GET(page->tsc_raw_ns);
	tsc->raw_mult = SEQLOCK_GET(page->tsc_raw_mult);
}

static void read_fields(const struct clockpage *page, struct clock_sample *s)
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
	s->wall_offset_ns = SEQLOCK_GET(page->wall_offset_ns);
	s->part_delay_ns = SEQLOCK_GET(page->part_delay_ns);
	s->part_dispersion_ns = SEQLOCK_GET(page->part_dispersion_ns);
	s->part_drift_ns = SEQLOCK_GET(page->part_drift_ns);
	s->part_unslewed_ns = SEQLOCK_GET(page->part_unslewed_ns);
	read_tsc(page, &s->tsc);
}

enum rfs_err clockpage_read(const struct clockpage *page,
			    struct clock_sample *sample)
{
	struct clock_sample seen;
	uint32_t before;

	if (page->head.magic != CLOCKPAGE_MAGIC ||
	    page->head.version != CLOCKPAGE_VERSION)
		return RFS_ERR_VERSION;

	for (int tries = 0; tries < CLOCKPAGE_RETRY_MAX; tries++) {
		if (!seqlock_read_begin(&page->seq, &before))
			continue;
		read_fields(page, &seen);
		if (!seqlock_read_end(&page->seq, before))
			continue;
		*sample = seen;
		return RFS_ERR_OK;
	}
	return RFS_ERR_BUSY;
}

/* In 2^-64, rounded towards zero. */
static int64_t in_two_to_64(int64_t ppb)
{
	return (int64_t)(ppb * ((__int128)1 << 64) / PPB);
}

static void write_tsc(struct clockpage *page, const struct clock_tsc *tsc)
{
	SEQLOCK_PUT(page->tsc_error_ns, tsc->error_ns);
	SEQLOCK_PUT(page->tsc_base, tsc->base);
	SEQLOCK_PUT(page->tsc_life, tsc->life);
	SEQLOCK_PUT(page->tsc_cluster_ns, tsc->cluster_ns);
	SEQLOCK_PUT(page->tsc_half_ns, tsc->half_ns);
	SEQLOCK_PUT(page->tsc_mult, tsc->mult);
	SEQLOCK_PUT(page->tsc_growth, tsc->growth);
	SEQLOCK_PUT(page->tsc_raw_ns, tsc->raw_ns);
	SEQLOCK_PUT(page->tsc_raw_mult, tsc->raw_mult);
}

void clockpage_write(struct clockpage *page, const struct clock_sample *s)
{
	int64_t slowest_ppb = s->drift_ppb - (int64_t)s->growth_ppb;
	int64_t fastest_ppb = s->drift_ppb + (int64_t)s->growth_ppb;

	CHECK(slowest_ppb > -RATE_MAX_PPB);
	CHECK(fastest_ppb < RATE_MAX_PPB);

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
	SEQLOCK_PUT(page->low_ns, s->offset_ns - s->bound_ns - ROUNDING_NS);
	SEQLOCK_PUT(page->high_ns, s->offset_ns + s->bound_ns + ROUNDING_NS);
	SEQLOCK_PUT(page->low_mult, in_two_to_64(slowest_ppb) - 1);
	SEQLOCK_PUT(page->high_mult, in_two_to_64(fastest_ppb) + 1);
	write_tsc(page, &s->tsc);
	seqlock_write_end(&page->seq, odd);
}

/* units_scale_ppb() without a 128-bit division where the product fits: ages up
 * to 18 minutes, rates up to 0.8 %. */
static int64_t scale(int64_t age_ns, int64_t ppb)
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

	int64_t at_ns = raw_ns + s->offset_ns + scale(age_ns, s->drift_ppb);
	int64_t bound_ns = s->bound_ns + scale(age_ns, s->growth_ppb) +
			   ROUNDING_NS;

	return (struct interval){ at_ns - bound_ns, at_ns + bound_ns };
}
