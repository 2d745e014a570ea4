/* A ring of exchanges: intersection for the bound, weighted line for the
 * estimate. */
#include "timesyncd/core/filter.h"

#include <math.h>

#include "common/check.h"
#include "common/units.h"

/* What two crystals' rates differ by before anybody measured them, and what a
 * measured difference may have changed since. */
#define UNKNOWN_SPREAD_PPB  20000.0
#define MEASURED_SPREAD_PPB 1000.0
/* A window this long tells a drift from noise. */
#define LONG_WINDOW_NS (8 * NS_PER_SEC)
/* Noise that the fastest exchange still has. */
#define NOISE_FLOOR_NS 500.0

void filter_init(struct filter *filter, uint32_t capacity,
		 double prior_drift_ppb)
{
	*filter = (struct filter){
		.capacity = capacity,
		.prior_drift_ppb = prior_drift_ppb,
		.prior_spread_ppb = UNKNOWN_SPREAD_PPB,
		.fit_drift_ppb = prior_drift_ppb,
	};
	if (filter->capacity < 1)
		filter->capacity = 1;
	if (filter->capacity > FILTER_HISTORY_MAX)
		filter->capacity = FILTER_HISTORY_MAX;
}

void filter_clear(struct filter *filter)
{
	filter_init(filter, filter->capacity, filter->fit_drift_ppb);
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

/* Sums of a weighted regression; x in seconds before the newest sample, y in
 * ns beside its offset, so that doubles lose nothing. */
struct sums {
	double w, wx, wy, wxx, wxy;
};

static double sigma_of(const struct exchange_sample *s, int64_t floor_delay_ns)
{
	return NOISE_FLOOR_NS + (double)(s->delay_ns - floor_delay_ns) / 2;
}

static struct sums sum_up(const struct filter *filter)
{
	const struct exchange_sample *newest = filter_newest(filter);
	int64_t floor_delay_ns = filter_best(filter)->delay_ns;
	struct sums t = { 0 };

	for (uint32_t i = 0; i < filter->count; i++) {
		const struct exchange_sample *s = sample_back(filter, i);
		double x = (double)(s->at_ns - newest->at_ns) / 1e9;
		double y = (double)(s->offset_ns - newest->offset_ns);
		double sigma = sigma_of(s, floor_delay_ns);
		double w = 1 / (sigma * sigma);

		t.w += w;
		t.wx += w * x;
		t.wy += w * y;
		t.wxx += w * x * x;
		t.wxy += w * x * y;
	}
	return t;
}

static double residual_rms(const struct filter *filter, double a, double b)
{
	const struct exchange_sample *newest = filter_newest(filter);
	double sum = 0;

	for (uint32_t i = 0; i < filter->count; i++) {
		const struct exchange_sample *s = sample_back(filter, i);
		double x = (double)(s->at_ns - newest->at_ns) / 1e9;
		double y = (double)(s->offset_ns - newest->offset_ns);

		sum += (y - a - b * x) * (y - a - b * x);
	}
	return sqrt(sum / filter->count);
}

/* y = a + b x, with b drawn to the prior as strongly as its spread says:
 * minimise sum w (y - a - b x)^2 + ((b - prior) / spread)^2. */
static void fit(struct filter *filter)
{
	const struct exchange_sample *newest = filter_newest(filter);
	const double pull =
		1 / (filter->prior_spread_ppb * filter->prior_spread_ppb);
	struct sums t = sum_up(filter);
	double spread = t.wxx - t.wx * t.wx / t.w + pull;
	double b = (t.wxy - t.wx * t.wy / t.w +
		    pull * filter->prior_drift_ppb) /
		   spread;
	double a = (t.wy - b * t.wx) / t.w;

	filter->fit_at_ns = newest->at_ns;
	filter->fit_offset_ns = newest->offset_ns + (int64_t)llround(a);
	filter->fit_drift_ppb = b;
	filter->jitter_ns = (int64_t)residual_rms(filter, a, b);
}

static void learn_drift(struct filter *filter)
{
	const struct exchange_sample *oldest =
		sample_back(filter, filter->count - 1);

	if (filter_newest(filter)->at_ns - oldest->at_ns < LONG_WINDOW_NS)
		return;
	filter->prior_drift_ppb = filter->fit_drift_ppb;
	filter->prior_spread_ppb = MEASURED_SPREAD_PPB;
	filter->drift_known = true;
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
		int64_t rho_ppb, struct interval *held, struct interval *met)
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
	fit(filter);
	learn_drift(filter);
	return agrees;
}

int64_t filter_offset_at(const struct filter *filter, int64_t raw_ns)
{
	if (filter->count == 0)
		return 0;
	return filter->fit_offset_ns +
	       (int64_t)llround((double)(raw_ns - filter->fit_at_ns) *
				filter->fit_drift_ppb / 1e9);
}
