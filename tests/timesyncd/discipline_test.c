/* The discipline: slews by the settings, never steps, does not overshoot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/discipline.h"

/* No residual of these tests is beyond such a sigma. */
#define NOISY 1e9

static struct discipline started_at_zero(double rate)
{
	struct discipline d = { 0 };

	discipline_configure(&d, rate, 500000, 200000, NS_PER_SEC);
	discipline_steer(&d, 0, 0, 0, NOISY);
	return d;
}

static void a_certain_residual_is_slewed_faster(void **state)
{
	(void)state;
	struct discipline noisy = started_at_zero(0.1);
	struct discipline sure = started_at_zero(0.1);

	discipline_steer(&noisy, NS_PER_SEC, 10000, 0, 5000);
	discipline_steer(&sure, NS_PER_SEC, 10000, 0, 1000);
	assert_int_equal(noisy.drift_ppb, 1000);
	assert_in_range(sure.drift_ppb, 3000, 4000);
	/* Never all of it at once: the next second's estimate differs. */
	discipline_steer(&sure, NS_PER_SEC, 10000, 0, 0);
	assert_int_equal(sure.drift_ppb, 7000);
}

static void all_slews_of_an_hour_stay_within_the_budget(void **state)
{
	(void)state;
	struct discipline d = { 0 };
	int64_t moved_ns = 0, hour_ns = 3600 * NS_PER_SEC;

	discipline_configure(&d, 0.1, 500000, 200000, 5 * NS_PER_MS);
	discipline_steer(&d, 0, 0, 1000, NOISY);
	/* Pulled to and fro, with a drift of 1 ppm that is none of it. */
	for (int64_t t_ns = 0; t_ns < hour_ns; t_ns += NS_PER_SEC) {
		int64_t pull_ns = t_ns / NS_PER_SEC % 20 < 10 ? NS_PER_SEC :
								-NS_PER_SEC;

		discipline_steer(&d, t_ns, pull_ns, 1000, 0);
		moved_ns += llabs((long long)d.drift_ppb - 1000);
	}
	assert_in_range(moved_ns, 5 * NS_PER_MS * 99 / 100, 5 * NS_PER_MS);
	assert_true(d.held_back > 0);
	assert_int_equal(d.drift_ppb, 1000);
	/* What was spent an hour ago may be spent again. */
	discipline_steer(&d, hour_ns + 600 * NS_PER_SEC, NS_PER_SEC, 1000, 0);
	assert_int_equal(d.drift_ppb, 501000);
}

static void the_first_target_is_taken_as_it_is(void **state)
{
	(void)state;
	struct discipline d = { 0 };

	discipline_configure(&d, 0.1, 500000, 200000, NS_PER_SEC);
	discipline_steer(&d, 5, INT64_C(1700000000000000000), 300, NOISY);
	assert_int_equal(discipline_offset_at(&d, 5),
			 INT64_C(1700000000000000000));
	assert_int_equal(d.drift_ppb, 300);
}

static void adjustment_rate_of_the_residual_is_slewed_each_second(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.1);

	discipline_steer(&d, NS_PER_SEC, 10000, 0, NOISY);
	assert_int_equal(discipline_offset_at(&d, NS_PER_SEC), 0);
	assert_int_equal(discipline_offset_at(&d, 2 * NS_PER_SEC), 1000);
	discipline_steer(&d, 2 * NS_PER_SEC, 10000, 0, NOISY);
	assert_int_equal(discipline_offset_at(&d, 3 * NS_PER_SEC), 1900);
}

static void a_slew_is_capped_by_max_slew(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.1);

	discipline_steer(&d, NS_PER_SEC, NS_PER_SEC, 0, NOISY);
	assert_int_equal(d.drift_ppb, 500000);
	discipline_steer(&d, 2 * NS_PER_SEC, -NS_PER_SEC, 0, NOISY);
	assert_int_equal(d.drift_ppb, -500000);
}

static void a_drift_is_capped_by_max_rate(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.1);

	discipline_steer(&d, NS_PER_SEC, 0, 9e6, NOISY);
	assert_int_equal(d.drift_ppb, 200000);
}

static void coasting_keeps_the_drift_and_drops_the_slew(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.1);

	discipline_steer(&d, NS_PER_SEC, 100000, 70, NOISY);
	assert_int_equal(d.drift_ppb, 10070);
	discipline_coast(&d, 2 * NS_PER_SEC);
	assert_int_equal(d.drift_ppb, 70);
}

static void after_a_restart_it_may_step(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.1);

	discipline_restart(&d);
	discipline_steer(&d, NS_PER_SEC, 123456789, 0, NOISY);
	assert_int_equal(discipline_offset_at(&d, NS_PER_SEC), 123456789);
}

static void a_rate_of_one_does_not_overshoot(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(7); /* more than all: clipped */

	discipline_steer(&d, NS_PER_SEC, 10000, 0, NOISY);
	assert_int_equal(discipline_offset_at(&d, 2 * NS_PER_SEC), 10000);
}

/* Whatever the targets: continuous at every bend, and time goes forward. */
static void the_published_clock_is_continuous_and_monotone(void **state)
{
	(void)state;
	struct discipline d = started_at_zero(0.5);
	struct prng prng;
	int64_t raw_ns = 0;
	int64_t last_ns = 0;

	prng_seed(&prng, 4);
	for (int i = 0; i < 10000; i++) {
		raw_ns += 1 + (int64_t)prng_below(&prng, 3 * NS_PER_SEC);
		int64_t before = discipline_offset_at(&d, raw_ns);

		if (prng_below(&prng, 4) == 0)
			discipline_coast(&d, raw_ns);
		else
			discipline_steer(
				&d, raw_ns,
				(int64_t)prng_below(&prng, NS_PER_SEC) -
					NS_PER_SEC / 2,
				(prng_unit(&prng) - 0.5) * 1e6, NOISY);
		assert_int_equal(discipline_offset_at(&d, raw_ns), before);
		assert_true(raw_ns + before >= last_ns);
		last_ns = raw_ns + before;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certain_residual_is_slewed_faster),
		cmocka_unit_test(all_slews_of_an_hour_stay_within_the_budget),
		cmocka_unit_test(the_first_target_is_taken_as_it_is),
		cmocka_unit_test(
			adjustment_rate_of_the_residual_is_slewed_each_second),
		cmocka_unit_test(a_slew_is_capped_by_max_slew),
		cmocka_unit_test(a_drift_is_capped_by_max_rate),
		cmocka_unit_test(coasting_keeps_the_drift_and_drops_the_slew),
		cmocka_unit_test(after_a_restart_it_may_step),
		cmocka_unit_test(a_rate_of_one_does_not_overshoot),
		cmocka_unit_test(the_published_clock_is_continuous_and_monotone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
