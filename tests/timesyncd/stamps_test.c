/* Cross-readings: kernel stamps are never turned into too early an instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "timesyncd/stamps.h"

#define WALL INT64_C(1700000000000000000)

/* raw, wall and boot at one true instant; the reading took 200 ns. */
static struct stamps reading(int64_t raw_ns, int64_t wall_moved_ns,
			     int64_t boot_moved_ns)
{
	return (struct stamps){
		.raw_ns = raw_ns,
		.raw_after_ns = raw_ns + 200,
		.wall_ns = WALL + raw_ns + wall_moved_ns,
		.boot_ns = raw_ns + 500 + boot_moved_ns,
	};
}

static void an_arrival_is_never_early_and_hardly_late(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(2 * NS_PER_SEC, 0, 0);

	/* Arrived 50 us before it was read, with the wall clock slewed either
	 * way by 500 ppm meanwhile. */
	for (int64_t slew = -25; slew <= 25; slew += 25) {
		int64_t raw_ns;

		assert_true(stamps_arrival(&last, &now,
					   now.wall_ns - 50000 - slew,
					   &raw_ns));
		assert_true(raw_ns >= now.raw_ns - 50000);
		assert_true(raw_ns <= now.raw_ns - 50000 + 400);
	}
}

static void a_departure_is_never_late_and_hardly_early(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(2 * NS_PER_SEC, 0, 0);

	for (int64_t slew = -25; slew <= 25; slew += 25) {
		int64_t raw_ns;

		assert_true(stamps_departure(&last, &now,
					     now.wall_ns - 50000 - slew,
					     &raw_ns));
		assert_true(raw_ns <= now.raw_ns - 50000);
		assert_true(raw_ns >= now.raw_ns - 50000 - 400);
	}
}

static void an_unbelievable_departure_changes_nothing(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(2 * NS_PER_SEC, 0, 0);
	struct stamps stepped = reading(2 * NS_PER_SEC, 9 * NS_PER_MS, 0);
	int64_t raw_ns = 77;

	assert_false(stamps_departure(&last, &now, 0, &raw_ns));
	assert_false(stamps_departure(&last, &now, now.wall_ns + 1, &raw_ns));
	assert_false(stamps_departure(&last, &stepped, stepped.wall_ns - 50000,
				      &raw_ns));
	assert_int_equal(raw_ns, 77);
}

static void without_a_stamp_our_own_reading_serves(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(2 * NS_PER_SEC, 0, 0);
	int64_t raw_ns;

	assert_false(stamps_arrival(&last, &now, 0, &raw_ns));
	assert_int_equal(raw_ns, now.raw_ns);
	/* From the future, or far too old. */
	assert_false(stamps_arrival(&last, &now, now.wall_ns + 1, &raw_ns));
	assert_int_equal(raw_ns, now.raw_ns);
	assert_false(stamps_arrival(&last, &now, now.wall_ns - 2 * NS_PER_SEC,
				    &raw_ns));
	assert_int_equal(raw_ns, now.raw_ns);
}

static void after_a_wall_step_no_stamp_is_believed(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(NS_PER_SEC + NS_PER_MS, 5 * NS_PER_MS, 0);
	int64_t raw_ns;

	assert_false(stamps_arrival(&last, &now, now.wall_ns - 5 * NS_PER_MS,
				    &raw_ns));
	assert_int_equal(raw_ns, now.raw_ns);
}

static void a_suspend_shows_as_boot_time_running_ahead(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now =
		reading(2 * NS_PER_SEC, 10 * NS_PER_MS, 10 * NS_PER_MS);

	assert_int_equal(stamps_compare(&last, &now), STAMPS_RAW_DISRUPTED);
}

static void a_raw_clock_that_goes_back_is_disrupted(void **state)
{
	(void)state;
	struct stamps last = reading(2 * NS_PER_SEC, 0, 0);
	struct stamps now = reading(NS_PER_SEC, 0, NS_PER_SEC);

	assert_int_equal(stamps_compare(&last, &now), STAMPS_RAW_DISRUPTED);
}

static void setting_the_date_is_not_a_disruption(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(2 * NS_PER_SEC, -3600 * NS_PER_SEC, 0);

	assert_int_equal(stamps_compare(&last, &now), STAMPS_WALL_STEPPED);
}

static void slewing_is_fine(void **state)
{
	(void)state;
	struct stamps last = reading(NS_PER_SEC, 0, 0);
	struct stamps now = reading(11 * NS_PER_SEC, 5 * NS_PER_MS, 5000000);

	assert_int_equal(stamps_compare(&last, &now), STAMPS_FINE);
}

static void real_clocks_agree_with_themselves(void **state)
{
	(void)state;
	struct stamps last, now;

	stamps_read(&last);
	stamps_read(&now);
	assert_true(now.raw_ns >= last.raw_after_ns);
	assert_int_not_equal(stamps_compare(&last, &now),
			     STAMPS_RAW_DISRUPTED);
	assert_true(stamps_precision_ns() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arrival_is_never_early_and_hardly_late),
		cmocka_unit_test(a_departure_is_never_late_and_hardly_early),
		cmocka_unit_test(an_unbelievable_departure_changes_nothing),
		cmocka_unit_test(without_a_stamp_our_own_reading_serves),
		cmocka_unit_test(after_a_wall_step_no_stamp_is_believed),
		cmocka_unit_test(a_suspend_shows_as_boot_time_running_ahead),
		cmocka_unit_test(a_raw_clock_that_goes_back_is_disrupted),
		cmocka_unit_test(setting_the_date_is_not_a_disruption),
		cmocka_unit_test(slewing_is_fine),
		cmocka_unit_test(real_clocks_agree_with_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
