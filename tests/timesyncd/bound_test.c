/* The bound: reaches the far end of the truth, grows, ends; its parts add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/bound.h"

#define RHO 200041

static struct bound_witness witness_of(int64_t low_ns, int64_t high_ns)
{
	return (struct bound_witness){
		.at_ns = 1000,
		.truth = { low_ns, high_ns },
		.delay_ns = high_ns - low_ns - 20,
		.dispersion_ns = 10,
		.measured_ns = 1000,
	};
}

static void the_bound_reaches_the_further_end(void **state)
{
	(void)state;
	struct bound_witness witness = witness_of(0, 1000);
	struct timesync_clock clock = { .asof_ns = 1000, .offset_ns = 300 };

	bound_fill(&clock, &witness, RHO);
	assert_int_equal(clock.bound_ns, 700);
	assert_int_equal(clock.part_unslewed_ns, 200);
	assert_int_equal(clock.part_delay_ns, 490);
	assert_int_equal(clock.part_dispersion_ns, 10);
	assert_int_equal(clock.part_drift_ns, 0);
	clock.offset_ns = 5000;
	bound_fill(&clock, &witness, RHO);
	assert_int_equal(clock.bound_ns, 5000);
}

static void it_grows_by_rho_and_the_lines_own_drift(void **state)
{
	(void)state;
	struct bound_witness witness = witness_of(0, 1000);
	struct timesync_clock clock = { .asof_ns = 1000, .drift_ppb = -7000 };

	bound_fill(&clock, &witness, RHO);
	assert_int_equal(clock.growth_ppb, RHO + 7000);
}

static void age_shows_in_the_part_of_drift(void **state)
{
	(void)state;
	struct bound_witness witness = witness_of(0, 1000);
	struct timesync_clock clock = { .asof_ns = 1000 + NS_PER_SEC,
					.offset_ns = 500 };

	bound_fill(&clock, &witness, RHO);
	assert_int_equal(clock.part_drift_ns, RHO);
	assert_in_range(clock.bound_ns, RHO + 500, RHO + 503);
}

/* Any truth that moves within rho, any line: contained until void. */
static void the_interval_holds_a_moving_truth(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 2);
	for (int i = 0; i < 20000; i++) {
		int64_t width = (int64_t)prng_below(&prng, 1000000);
		struct bound_witness witness = witness_of(0, width);
		struct timesync_clock clock = {
			.quality = TIMESYNC_HOLDOVER,
			.asof_ns = 1000 + (int64_t)prng_below(&prng, 1u << 31),
			.offset_ns = (int64_t)prng_below(&prng, 3000000) -
				     1500000,
			.drift_ppb = (int32_t)prng_below(&prng, 1400000) -
				     700000,
			.void_after_ns = INT64_MAX,
		};
		int64_t age = (int64_t)prng_below(&prng, 1u << 31);
		double rate = (prng_unit(&prng) - 0.5) * 2 * 200e-6;
		int64_t raw = clock.asof_ns + age;
		double truth = (double)prng_below(&prng, (uint64_t)width + 1) +
			       rate * (double)(raw - witness.at_ns);

		bound_fill(&clock, &witness, RHO);
		assert_true(interval_contains(timesync_clock_at(&clock, raw),
					      raw + (int64_t)truth));
		assert_int_equal(clock.bound_ns,
				 clock.part_delay_ns +
					 clock.part_dispersion_ns +
					 clock.part_drift_ns +
					 clock.part_unslewed_ns);
	}
}

static void a_bound_beyond_a_second_is_useless(void **state)
{
	(void)state;
	struct timesync_clock clock = { .asof_ns = 50, .bound_ns = NS_PER_SEC };

	assert_int_equal(bound_useless_at_ns(&clock), 50);
	clock.bound_ns = 0;
	assert_true(bound_useless_at_ns(&clock) == INT64_MAX);
	clock.growth_ppb = 1000000; /* 1 ms per second */
	assert_int_equal(bound_useless_at_ns(&clock), 50 + 1000 * NS_PER_SEC);
}

static void unusable_clocks_have_no_interval(void **state)
{
	(void)state;
	struct timesync_clock clock = { .quality = TIMESYNC_SYNCED,
					.asof_ns = 100,
					.void_after_ns = 200 };

	assert_false(interval_is_empty(timesync_clock_at(&clock, 100)));
	assert_true(interval_is_empty(timesync_clock_at(&clock, 99)));
	assert_true(interval_is_empty(timesync_clock_at(&clock, 200)));
	clock.quality = TIMESYNC_DISRUPTED;
	assert_true(interval_is_empty(timesync_clock_at(&clock, 100)));
	clock.quality = TIMESYNC_UNSYNCED;
	assert_true(interval_is_empty(timesync_clock_at(&clock, 100)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bound_reaches_the_further_end),
		cmocka_unit_test(it_grows_by_rho_and_the_lines_own_drift),
		cmocka_unit_test(age_shows_in_the_part_of_drift),
		cmocka_unit_test(the_interval_holds_a_moving_truth),
		cmocka_unit_test(a_bound_beyond_a_second_is_useless),
		cmocka_unit_test(unusable_clocks_have_no_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
