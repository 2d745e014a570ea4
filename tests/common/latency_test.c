/* Percentiles: never too low, at most a quarter too high. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/latency.h"

static void nothing_has_no_percentile(void **state)
{
	const struct latency none = { 0 };

	(void)state;
	assert_int_equal(latency_percentile_ns(&none, 500), 0);
}

static void one_duration_is_every_percentile(void **state)
{
	(void)state;
	for (int64_t ns = 1; ns > 0 && ns < INT64_MAX / 4; ns = ns * 3 + 1) {
		struct latency latency = { 0 };
		int64_t got;

		latency_add(&latency, ns);
		got = latency_percentile_ns(&latency, 500);
		assert_true(got > ns);
		assert_true(got <= ns + ns / 4 + 1);
		assert_int_equal(latency_percentile_ns(&latency, 1), got);
		assert_int_equal(latency_percentile_ns(&latency, 1000), got);
	}
}

static void the_tail_is_told_from_the_middle(void **state)
{
	struct latency latency = { 0 };

	(void)state;
	for (int i = 0; i < 985; i++)
		latency_add(&latency, 1000);
	for (int i = 0; i < 15; i++)
		latency_add(&latency, 1000000);
	assert_in_range(latency_percentile_ns(&latency, 500), 1000, 1250);
	assert_in_range(latency_percentile_ns(&latency, 990), 1000000, 1250000);
}

static void extremes_are_counted(void **state)
{
	struct latency latency = { 0 };

	(void)state;
	latency_add(&latency, -5);
	latency_add(&latency, 0);
	assert_int_equal(latency_percentile_ns(&latency, 1000), 1);
	latency_add(&latency, INT64_MAX);
	assert_int_equal(latency_percentile_ns(&latency, 1000), INT64_MAX);
}

static void the_single_longest_is_left_out_if_asked(void **state)
{
	struct latency latency = { 0 };

	(void)state;
	assert_int_equal(latency_high_ns(&latency, 990), 0);
	latency_add(&latency, 1000000);
	assert_int_equal(latency_high_ns(&latency, 990), 0);
	for (int i = 0; i < 20; i++)
		latency_add(&latency, 1000);
	assert_in_range(latency_high_ns(&latency, 990), 1000, 1250);
	latency_add(&latency, 1000000);
	assert_in_range(latency_high_ns(&latency, 990), 1000000, 1250000);
}

static void what_is_long_ago_is_forgotten(void **state)
{
	struct latency latency = { .window = 100 };

	(void)state;
	for (int i = 0; i < 50; i++)
		latency_add(&latency, 1000000);
	for (int i = 0; i < 1000; i++)
		latency_add(&latency, 1000);
	assert_in_range(latency_percentile_ns(&latency, 1000), 1000, 1250);
	assert_true(latency.count < 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_no_percentile),
		cmocka_unit_test(one_duration_is_every_percentile),
		cmocka_unit_test(the_tail_is_told_from_the_middle),
		cmocka_unit_test(extremes_are_counted),
		cmocka_unit_test(the_single_longest_is_left_out_if_asked),
		cmocka_unit_test(what_is_long_ago_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
