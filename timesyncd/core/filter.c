/* A ring of exchanges: their intersection for the bound, a corridor for the
 * estimate. */
#include "timesyncd/core/filter.h"

#include <stddef.h>

#include "common/check.h"

/* What two crystals' rates differ by before anybody measured them, and what a
 * measured difference may have changed since. */
#define UNKNOWN_SPREAD_PPB  50000.0
#define MEASURED_SPREAD_PPB 1000.0

void filter_init(struct filter *filter, uint32_t capacity,
		 double prior_drift_ppb)
{
	*filter = (struct filter){ .capacity = capacity };
	corridor_init(&filter->corridor, prior_drift_ppb, UNKNOWN_SPREAD_PPB);
	if (filter->capacity < 1)
		filter->capacity = 1;
	if (filter->capacity > FILTER_HISTORY_MAX)
		filter->capacity = FILTER_HISTORY_MAX;
}

void filter_clear(struct filter *filter)
{
	double drift_ppb = filter_drift_ppb(filter);
	bool known = filter->drift_known;

	filter_init(filter, filter->capacity, drift_ppb);
	filter->drift_known = known;
	filter_estimate_anew(filter);
}

void filter_estimate_anew(struct filter *filter)
{
	corridor_init(&filter->corridor, filter_drift_ppb(filter),
		      filter->drift_known ? MEASURED_SPREAD_PPB :
					    UNKNOWN_SPREAD_PPB);
}

/* i = 0 is the newest. */
static const struct exchange_sample *sample_back(const struct filter *filter,
						 uint32_t i)
{
	uint32_t capacity = filter->capacity;

	return &filter->ring[(filter->next_index + capacity - 1 - i) %
			     capacity];
}

const struct exchange_sample *filter_newest(const struct filter *filter)
{
	return filter->count > 0 ? sample_back(filter, 0) : NULL;
}

const struct exchange_sample *filter_best(const struct filter *filter)
{
	const struct exchange_sample *best = filter_newest(filter);

	for (uint32_t i = 1; i < filter->count; i++) {
		const struct exchange_sample *s = sample_back(filter, i);

		if (s->delay_ns < best->delay_ns)
			best = s;
	}
	return best;
}

struct interval filter_interval_at(const struct filter *filter, int64_t raw_ns,
				   int64_t rho_ppb)
{
	struct interval all = { .low_ns = INT64_MAX, .high_ns = INT64_MIN };

	if (filter->count == 0)
		return all;
	all = exchange_proven_at(sample_back(filter, 0), raw_ns, rho_ppb);
	for (uint32_t i = 1; i < filter->count; i++)
		all = interval_intersect(
			all, exchange_proven_at(sample_back(filter, i), raw_ns,
						rho_ppb));
	return all;
}

/* The middle of the exchange, and what each direction says there. */
static void measure(struct filter *filter, const struct exchange_sample *sample)
{
	int64_t half_ns = sample->delay_ns / 2;

	if (!corridor_add(&filter->corridor, sample->middle_ns,
			  sample->offset_ns + half_ns,
			  sample->offset_ns - half_ns, FILTER_BURST_NS))
		filter->surprised = true;
}

/* Both are proven, so their intersection is; the faster one estimates. */
static void merge(struct exchange_sample *last,
		  const struct exchange_sample *sample, int64_t rho_ppb)
{
	last->proven = interval_intersect(
		exchange_proven_at(last, sample->at_ns, rho_ppb),
		sample->proven);
	last->at_ns = sample->at_ns;
	if (sample->delay_ns <= last->delay_ns) {
		last->delay_ns = sample->delay_ns;
		last->offset_ns = sample->offset_ns;
	}
}

static void append(struct filter *filter, const struct exchange_sample *sample,
		   int64_t rho_ppb)
{
	uint32_t last = (filter->next_index + filter->capacity - 1) %
			filter->capacity;

	if (filter->count > 0 &&
	    sample->at_ns - filter->ring[last].at_ns < FILTER_BURST_NS) {
		merge(&filter->ring[last], sample, rho_ppb);
		return;
	}
	filter->ring[filter->next_index] = *sample;
	filter->next_index = (filter->next_index + 1) % filter->capacity;
	if (filter->count < filter->capacity)
		filter->count++;
}

bool filter_add(struct filter *filter, const struct exchange_sample *sample,
		int64_t rho_ppb, bool steers, struct interval *held,
		struct interval *met)
{
	bool agrees = true;

	CHECK(filter->count == 0 ||
	      sample->at_ns >= filter_newest(filter)->at_ns);
	*met = sample->proven;
	*held = filter_interval_at(filter, sample->at_ns, rho_ppb);
	if (filter->count > 0 &&
	    interval_is_empty(interval_intersect(*held, *met))) {
		agrees = false;
		filter_clear(filter);
	}
	append(filter, sample, rho_ppb);
	if (steers || filter->corridor.upper.count == 0)
		measure(filter, sample);
	filter->drift_known =
		filter->corridor.drift_sigma_ppb <= MEASURED_SPREAD_PPB;
	return agrees;
}

int64_t filter_offset_at(const struct filter *filter, int64_t raw_ns)
{
	return corridor_offset_at(&filter->corridor, raw_ns);
}

double filter_drift_ppb(const struct filter *filter)
{
	return filter->corridor.drift_ppb;
}
