/* The history: bounded, and back to the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/units.h"
#include "timesyncd/history.h"

static void it_reaches_back_to_the_start_however_old(void **state)
{
	(void)state;
	struct history *history = calloc(1, sizeof(*history));
	struct history_point point = { 0 };

	assert_non_null(history);
	for (int64_t second = 1; second <= 100000; second++) {
		/* Timers are late by some of it, and never early. */
		point.raw_ns = second * NS_PER_SEC + second % 7 * NS_PER_MS;
		history_put(history, &point);
		assert_true(history->count <= HISTORY_POINTS_MAX);
		assert_int_equal(history->points[0].raw_ns,
				 NS_PER_SEC + NS_PER_MS);
	}
	assert_true(history->count >= HISTORY_POINTS_MAX / 2);
	/* Equally spaced, the newest too. */
	for (uint32_t i = 1; i < history->count; i++) {
		int64_t gap_ns = history->points[i].raw_ns -
				 history->points[i - 1].raw_ns;

		assert_in_range(gap_ns, history->every_ns - NS_PER_SEC,
				history->every_ns + NS_PER_SEC);
	}
	assert_true(point.raw_ns - history->points[history->count - 1].raw_ns <=
		    history->every_ns);
	free(history);
}

static void points_too_close_are_left_out(void **state)
{
	(void)state;
	static struct history history;
	struct history_point point = { .raw_ns = 5 * NS_PER_SEC };

	history_put(&history, &point);
	point.raw_ns += 300 * NS_PER_MS;
	history_put(&history, &point);
	assert_int_equal(history.count, 1);
	point.raw_ns += 700 * NS_PER_MS;
	history_put(&history, &point);
	assert_int_equal(history.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reaches_back_to_the_start_however_old),
		cmocka_unit_test(points_too_close_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
