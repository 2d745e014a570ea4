/* Reading and publishing the clock page. */
#include "shm/clockpage.h"

#include "shm/clockread.h"
#include "shm/seqlock.h"

enum rfs_err clockpage_read(const struct clockpage *page,
			    struct clock_sample *sample)
{
	return clockread_page(page, sample, false);
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

struct interval clock_sample_at(const struct clock_sample *sample,
				int64_t raw_ns)
{
	return clockread_at(sample, raw_ns);
}
