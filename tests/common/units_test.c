/* Text to numbers and back, by hand-picked values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"

static void durations_take_every_unit(void **state)
{
	const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "250ms", 250 * NS_PER_MS },
		{ "1.5s", 1500 * NS_PER_MS },
		{ "60", 60 * NS_PER_SEC },
		{ "2min", 120 * NS_PER_SEC },
		{ "1h", 3600 * NS_PER_SEC },
		{ "1d", 86400 * NS_PER_SEC },
		{ "0", 0 },
		{ "3 us", 3000 },
		{ "123456789ns", 123456789 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t ns = -1;

		assert_int_equal(units_parse_duration(cases[i].text, &ns),
				 RFS_ERR_OK);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void sizes_take_binary_and_decimal_units(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_int_equal(units_parse_size("4MiB", &bytes), RFS_ERR_OK);
	assert_int_equal(bytes, 4 * MIB);
	assert_int_equal(units_parse_size("10GB", &bytes), RFS_ERR_OK);
	assert_int_equal(bytes, 10000000000);
	assert_int_equal(units_parse_size("512", &bytes), RFS_ERR_OK);
	assert_int_equal(bytes, 512);
	assert_int_equal(units_parse_size("0.5KiB", &bytes), RFS_ERR_OK);
	assert_int_equal(bytes, 512);
}

static void nonsense_is_refused_and_nothing_written(void **state)
{
	const char *const bad[] = { "",	   "ms",  "-1s", "nan", "1 parsec",
				    "1s ", "1ss", "s1",	 "1,5s" };
	int64_t ns = 77;
	uint64_t bytes = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(units_parse_duration(bad[i], &ns),
				 RFS_ERR_INVALID);
		assert_int_equal(units_parse_size(bad[i], &bytes),
				 RFS_ERR_INVALID);
	}
	assert_int_equal(units_parse_duration("101d", &ns), RFS_ERR_OK);
	ns = 77;
	assert_int_equal(units_parse_duration("40000d", &ns), RFS_ERR_RANGE);
	assert_int_equal(units_parse_duration("inf", &ns), RFS_ERR_RANGE);
	assert_int_equal(units_parse_size("1e30", &bytes), RFS_ERR_RANGE);
	assert_int_equal(ns, 77);
	assert_int_equal(bytes, 77);
}

static void sums_saturate(void **state)
{
	(void)state;
	assert_true(units_add_sat(INT64_MAX, 1) == INT64_MAX);
	assert_true(units_add_sat(INT64_MIN, -1) == INT64_MIN);
	assert_true(units_add_sat(INT64_MAX, -1) == INT64_MAX - 1);
	assert_true(units_add_sat(2, 3) == 5);
}

static void a_time_too_far_is_the_farthest_there_is(void **state)
{
	const struct timespec near = {.tv_sec = 3, .tv_nsec = 4};
	const struct timespec early = {.tv_sec = -1, .tv_nsec = 1};
	const struct timespec late = {.tv_sec = INT64_C(10000000000)};
	const struct timespec just = {.tv_sec = INT64_MAX / NS_PER_SEC,
				      .tv_nsec = NS_PER_SEC - 1};
	const struct timespec before = {.tv_sec = INT64_C(-10000000000)};

	(void)state;
	assert_true(units_from_timespec(near) == 3 * NS_PER_SEC + 4);
	assert_true(units_from_timespec(early) == 1 - NS_PER_SEC);
	assert_true(units_from_timespec(late) == INT64_MAX);
	assert_true(units_from_timespec(just) == INT64_MAX);
	assert_true(units_from_timespec(before) == INT64_MIN);
}

static void a_rate_scales_without_overflow(void **state)
{
	(void)state;
	assert_true(units_scale_ppb(NS_PER_SEC, 200) == 200);
	assert_true(units_scale_ppb(-NS_PER_SEC, 200) == -200);
	/* a century at 500 ppm */
	assert_true(units_scale_ppb(INT64_C(3153600000) * NS_PER_SEC, 500000) ==
		    INT64_C(1576800) * NS_PER_SEC);
}

static void quantities_are_written_for_people(void **state)
{
	char buf[24];

	(void)state;
	assert_string_equal(units_format_duration(999, buf, sizeof(buf)),
			    "999 ns");
	assert_string_equal(units_format_duration(-12300, buf, sizeof(buf)),
			    "-12.3 us");
	assert_string_equal(units_format_duration(1500000, buf, sizeof(buf)),
			    "1.50 ms");
	assert_string_equal(units_format_duration(3200000000, buf, sizeof(buf)),
			    "3.20 s");
	assert_string_equal(units_format_size(512, buf, sizeof(buf)), "512 B");
	assert_string_equal(units_format_size(3 * MIB / 2, buf, sizeof(buf)),
			    "1.5 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_take_every_unit),
		cmocka_unit_test(sizes_take_binary_and_decimal_units),
		cmocka_unit_test(nonsense_is_refused_and_nothing_written),
		cmocka_unit_test(sums_saturate),
		cmocka_unit_test(a_time_too_far_is_the_farthest_there_is),
		cmocka_unit_test(a_rate_scales_without_overflow),
		cmocka_unit_test(quantities_are_written_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
