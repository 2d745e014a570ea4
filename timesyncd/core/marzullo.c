/* Majority intersection by counting who covers each end point. */
#include "timesyncd/core/marzullo.h"

#include "common/check.h"

static uint32_t coverage(const struct interval *claims, uint32_t count,
			 int64_t t_ns)
{
	uint32_t covered = 0;

	for (uint32_t i = 0; i < count; i++)
		covered += interval_contains(claims[i], t_ns);
	return covered;
}

static void stretch(struct interval *hull, int64_t t_ns)
{
	if (t_ns < hull->low_ns)
		hull->low_ns = t_ns;
	if (t_ns > hull->high_ns)
		hull->high_ns = t_ns;
}

/* Intervals are closed: the hull begins and ends at end points of claims. */
static struct interval majority_hull(const struct interval *claims,
				     uint32_t count)
{
	struct interval hull = { .low_ns = INT64_MAX, .high_ns = INT64_MIN };
	uint32_t majority = count / 2 + 1;

	for (uint32_t i = 0; i < count; i++) {
		if (interval_is_empty(claims[i]))
			continue;
		if (coverage(claims, count, claims[i].low_ns) >= majority)
			stretch(&hull, claims[i].low_ns);
		if (coverage(claims, count, claims[i].high_ns) >= majority)
			stretch(&hull, claims[i].high_ns);
	}
	return hull;
}

struct selection marzullo_select(const struct interval *claims, uint32_t count)
{
	struct selection got = { 0 };

	CHECK(count <= MARZULLO_CLAIMS_MAX);
	got.interval = majority_hull(claims, count);
	for (uint32_t i = 0; i < count; i++) {
		if (interval_is_empty(claims[i]) ||
		    interval_is_empty(
			    interval_intersect(claims[i], got.interval)))
			continue;
		got.truechimer_mask |= UINT32_C(1) << i;
		got.truechimers++;
	}
	got.falsetickers = count - got.truechimers;
	return got;
}
