/* Times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "client/cli/when.h"
#include "common/units.h"

static void assert_is(const char *text, int64_t ns)
{
	struct when when;

	assert_int_equal(when_parse(text, &when), RFS_ERR_OK);
	assert_false(when.relative);
	assert_int_equal(when.ns, ns);
}

static void assert_ago(const char *text, int64_t ns)
{
	struct when when;

	assert_int_equal(when_parse(text, &when), RFS_ERR_OK);
	assert_true(when.relative);
	assert_int_equal(when.ns, ns);
}

static void rfc_3339_is_taken_with_any_zone(void **state)
{
	(void)state;
	assert_is("1970-01-01T00:00:00Z", 0);
	assert_is("2026-11-23T02:45:33Z", 1795401933 * NS_PER_SEC);
	assert_is("2026-11-23t02:45:33z", 1795401933 * NS_PER_SEC);
	assert_is("2026-11-23T03:45:33+01:00", 1795401933 * NS_PER_SEC);
	assert_is("2026-11-22T21:15:33-05:30", 1795401933 * NS_PER_SEC);
	assert_is("2026-11-23T02:45:33.25Z",
		  1795401933 * NS_PER_SEC + 250 * NS_PER_MS);
	assert_is("2026-11-23 02:45:33.123456789123Z",
		  1795401933 * NS_PER_SEC + 123456789);
}

static void without_a_zone_it_is_local_time(void **state)
{
	(void)state;
	setenv("TZ", "XYZ-2", 1); /* two hours east */
	tzset();
	assert_is("2026-11-23 04:45:33", 1795401933 * NS_PER_SEC);
	assert_is("2026-11-23 04:45", 1795401900 * NS_PER_SEC);
	assert_is("2026-11-23", (1795401933 - 45 * 60 - 33 - 4 * 3600) *
					NS_PER_SEC);
	unsetenv("TZ");
	tzset();
}

static void times_ago_are_relative(void **state)
{
	(void)state;
	assert_ago("now", 0);
	assert_ago("-5min", -300 * NS_PER_SEC);
	assert_ago("-1.5h", -5400 * NS_PER_SEC);
	assert_ago("-250ms", -250 * NS_PER_MS);
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"soon",
		"5min",
		"-",
		"--5min",
		"-5parsec",
		"2026",
		"2026-13-01",
		"2026-11-23T",
		"2026-11-23T25:00:00Z",
		"2026-11-23T02:45:33Zulu",
		"2026-11-23T02:45:33.Z",
		"2026-11-23T02:45:33+1:00",
		"2026-11-23T02:45:33+24:00",
		"2026-11-23T02:45:33+-1:30",
		"2026-11-23T02:45:33+01:-3",
		"2026-11-23T02:45:33 Z",
		"1969-12-31T23:59:59Z",
	};
	struct when when;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(when_parse(bad[i], &when), RFS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_3339_is_taken_with_any_zone),
		cmocka_unit_test(without_a_zone_it_is_local_time),
		cmocka_unit_test(times_ago_are_relative),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
