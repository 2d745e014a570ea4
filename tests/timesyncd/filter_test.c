/* The clock filter: intersections that hold, a line that follows the drift. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/filter.h"

#define RHO 200041

static struct exchange_sample sample_at(int64_t at_ns, int64_t offset_ns,
					int64_t there_ns, int64_t back_ns)
{
	return (struct exchange_sample){
		.at_ns = at_ns,
		.middle_ns = at_ns - (there_ns + back_ns) / 2,
		.offset_ns = offset_ns + (there_ns - back_ns) / 2,
		.delay_ns = there_ns + back_ns,
		.proven = { offset_ns - back_ns, offset_ns + there_ns },
	};
}

static bool add(struct filter *filter, struct exchange_sample sample)
{
	struct interval held, met;

	return filter_add(filter, &sample, RHO, true, &held, &met);
}

static void an_empty_filter_knows_nothing(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 10, 0);
	assert_true(interval_is_empty(filter_interval_at(&filter, 5, RHO)));
	assert_null(filter_newest(&filter));
	assert_null(filter_best(&filter));
}

static void samples_together_prove_more_than_each(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 10, 0);
	assert_true(add(&filter, sample_at(0, 1000, 10, 500)));
	assert_true(add(&filter, sample_at(100 * NS_PER_MS, 1000, 500, 10)));
	/* 100 ms at rho: 20 us, which hides nothing of 1 ms samples. */
	struct interval at =
		filter_interval_at(&filter, 100 * NS_PER_MS, RHO);
	assert_true(interval_contains(at, 1000));
	assert_int_equal(at.low_ns, 1000 - 10);
	assert_int_equal(at.high_ns, 1000 + 500);
}

static void a_burst_counts_as_one_sample(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 10, 0);
	assert_true(add(&filter, sample_at(0, 1000, 9000, 9000)));
	assert_true(add(&filter, sample_at(10 * NS_PER_MS, 1000, 100, 8000)));
	assert_true(add(&filter, sample_at(20 * NS_PER_MS, 1000, 8000, 100)));
	assert_true(add(&filter, sample_at(30 * NS_PER_MS, 1000, 5000, 5000)));
	assert_int_equal(filter.count, 1);
	assert_int_equal(filter_best(&filter)->delay_ns, 8100);

	struct interval at = filter_interval_at(&filter, 30 * NS_PER_MS, RHO);
	assert_true(interval_contains(at, 1000));
	assert_true(at.high_ns - at.low_ns < 9000);
}

static void a_contradiction_keeps_only_the_new_sample(void **state)
{
	(void)state;
	struct filter filter;
	struct interval held, met;
	struct exchange_sample jumped =
		sample_at(2 * NS_PER_SEC, 100 * NS_PER_MS, 50, 50);

	filter_init(&filter, 10, 0);
	assert_true(add(&filter, sample_at(0, 0, 50, 50)));
	assert_true(add(&filter, sample_at(NS_PER_SEC, 0, 50, 50)));
	assert_false(filter_add(&filter, &jumped, RHO, true, &held,
				&met));
	assert_true(held.high_ns < met.low_ns);
	assert_int_equal(filter.count, 1);
	assert_int_equal(filter_newest(&filter)->offset_ns, 100 * NS_PER_MS);
}

static void the_ring_forgets_the_oldest(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 3, 0);
	assert_true(add(&filter, sample_at(0, 0, 1, 1)));
	for (int i = 1; i <= 3; i++)
		assert_true(add(&filter,
				sample_at(i * NS_PER_SEC, 0, 500, 500)));
	assert_int_equal(filter.count, 3);
	assert_int_equal(filter_best(&filter)->delay_ns, 1000);
}

static void the_capacity_is_clipped(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 0, 0);
	assert_int_equal(filter.capacity, 1);
	filter_init(&filter, 1000, 0);
	assert_int_equal(filter.capacity, FILTER_HISTORY_MAX);
}

/* 30 ppm, exchanges every 2 s with queues of up to 400 us in each direction. */
static void the_line_follows_the_drift_through_queues(void **state)
{
	(void)state;
	struct filter filter;
	struct prng prng;
	int64_t at_ns = 0;

	prng_seed(&prng, 3);
	filter_init(&filter, 10, 0);
	for (int i = 0; i < 40; i++) {
		at_ns += 2 * NS_PER_SEC;
		int64_t queue = prng_below(&prng, 2) ?
					(int64_t)prng_below(&prng, 400000) :
					0;

		assert_true(add(&filter,
				sample_at(at_ns, at_ns * 30 / 1000000,
					  50000 + queue,
					  50000 + (int64_t)prng_below(
							  &prng, 2000))));
	}
	assert_true(fabs(filter_drift_ppb(&filter) - 30000) < 1000);
	assert_true(llabs(filter_offset_at(&filter, at_ns) -
			  at_ns * 30 / 1000000) < 5000);
	int64_t later_ns = at_ns + NS_PER_SEC;
	assert_true(llabs(filter_offset_at(&filter, later_ns) -
			  later_ns * 30 / 1000000) < 6000);
}

static void the_drift_outlives_forgetting(void **state)
{
	(void)state;
	struct filter filter;

	filter_init(&filter, 10, 0);
	for (int i = 0; i < 10; i++)
		assert_true(add(&filter, sample_at(i * NS_PER_SEC,
						   i * INT64_C(20000), 100,
						   100)));
	assert_true(fabs(filter_drift_ppb(&filter) - 20000) < 100);
	filter_clear(&filter);
	assert_int_equal(filter.count, 0);
	assert_true(add(&filter, sample_at(20 * NS_PER_SEC, 0, 100, 100)));
	assert_true(fabs(filter_drift_ppb(&filter) - 20000) < 100);
}

static void the_intersection_always_holds_the_truth(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 9);
	for (int round = 0; round < 200; round++) {
		struct filter filter;
		double truth = 0;
		int64_t at_ns = 0;

		filter_init(&filter, 1 + (uint32_t)prng_below(&prng, 12), 0);
		for (int i = 0; i < 60; i++) {
			int64_t gap = (int64_t)prng_below(&prng, NS_PER_SEC);
			double rate = (prng_unit(&prng) - 0.5) * 2 * 200e-6;

			at_ns += gap;
			truth += rate * (double)gap;
			assert_true(add(
				&filter,
				sample_at(at_ns, (int64_t)truth,
					  (int64_t)prng_below(&prng, 100000) + 2,
					  (int64_t)prng_below(&prng, 100000) +
						  2)));
			assert_true(interval_contains(
				filter_interval_at(&filter, at_ns, RHO),
				(int64_t)truth));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_knows_nothing),
		cmocka_unit_test(samples_together_prove_more_than_each),
		cmocka_unit_test(a_burst_counts_as_one_sample),
		cmocka_unit_test(a_contradiction_keeps_only_the_new_sample),
		cmocka_unit_test(the_ring_forgets_the_oldest),
		cmocka_unit_test(the_capacity_is_clipped),
		cmocka_unit_test(the_line_follows_the_drift_through_queues),
		cmocka_unit_test(the_drift_outlives_forgetting),
		cmocka_unit_test(the_intersection_always_holds_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
