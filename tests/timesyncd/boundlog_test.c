/* What the bound log claims, and that each claim holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "timesyncd/boundlog.h"

static const struct timesync_clock synced = {
	.quality = TIMESYNC_SYNCED,
	.asof_ns = 5000,
	.offset_ns = INT64_C(1700000000000000000),
	.bound_ns = 100000,
	.drift_ppb = 3000,
	.growth_ppb = 203000,
	.void_after_ns = INT64_MAX,
};

static void a_line_is_the_clock_as_published(void **state)
{
	const struct boundlog log = { 0 };
	char text[128];

	(void)state;
	boundlog_line(&log, &synced, 5000, 1, 0, text, sizeof(text));
	assert_string_equal(text, "1700000000.000005000 0.000100003 "
				  "0.000203000\n");
}

static void no_bound_is_said_to_be_none(void **state)
{
	const struct boundlog log = { 0 };
	struct timesync_clock clock = synced;
	char text[128];

	(void)state;
	clock.quality = TIMESYNC_DISRUPTED;
	boundlog_line(&log, &clock, 5000, 7 * NS_PER_SEC, 0, text,
		      sizeof(text));
	assert_string_equal(text, "7.000000000 inf 0\n");
}

/* The host's clock is what is judged: how far it is from the far end of the
 * interval, now and at its own rate. */
static void the_bound_of_the_host_clock_has_its_own_error_in_it(void **state)
{
	const struct boundlog log = { .of_wall = true,
				      .wall_rate_ppb = 40000 };
	int64_t wall_ns = synced.offset_ns + 5000 + 250000;
	double at, bound, growth;
	char text[128];

	(void)state;
	boundlog_line(&log, &synced, 5000, wall_ns, 0, text, sizeof(text));
	assert_int_equal(sscanf(text, "%lf %lf %lf", &at, &bound, &growth), 3);
	assert_memory_equal(text, "1700000000.000255000", 20);
	assert_true(bound >= 350e-6 && bound < 350.1e-6);
	/* 200 ppm between raw clocks, 40 of steering, 10 of slack */
	assert_true(growth > 249.9e-6 && growth < 250.1e-6);

	/* A reading that was interrupted may be off by so much. */
	boundlog_line(&log, &synced, 5000, wall_ns, 30000, text, sizeof(text));
	assert_int_equal(sscanf(text, "%lf %lf %lf", &at, &bound, &growth), 3);
	assert_true(bound >= 380e-6 && bound < 380.1e-6);
}

static void lines_are_appended(void **state)
{
	char path[] = "/tmp/boundlog-XXXXXX";
	struct boundlog log = { 0 };
	char text[512] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before\n", 7), 7);
	boundlog_add(&log, &synced); /* not open: nothing happens */
	assert_int_equal(boundlog_open(&log, path), RFS_ERR_OK);
	boundlog_add(&log, &synced);
	boundlog_add(&log, &synced);
	boundlog_close(&log);
	assert_true(read(fd, text, 7) == 7);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(strchr(text, '\n'));
	assert_non_null(strchr(strchr(text, '\n') + 1, '\n'));
	close(fd);
	unlink(path);
	assert_int_equal(boundlog_open(&log, "/nonexistent/log"), RFS_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_the_clock_as_published),
		cmocka_unit_test(no_bound_is_said_to_be_none),
		cmocka_unit_test(
			the_bound_of_the_host_clock_has_its_own_error_in_it),
		cmocka_unit_test(lines_are_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
