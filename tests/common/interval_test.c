/* Intervals: closed ends, the empty one, and moving them about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/interval.h"

static void both_ends_belong_to_it(void **state)
{
	const struct interval a = { -5, 5 };

	(void)state;
	assert_true(interval_contains(a, -5));
	assert_true(interval_contains(a, 5));
	assert_false(interval_contains(a, -6));
	assert_false(interval_contains(a, 6));
}

static void one_point_is_not_empty(void **state)
{
	(void)state;
	assert_false(interval_is_empty((struct interval){ 3, 3 }));
	assert_true(interval_is_empty((struct interval){ 3, 2 }));
	assert_false(interval_contains((struct interval){ 3, 2 }, 3));
}

static void the_common_part_is_in_both(void **state)
{
	const struct interval a = { 0, 10 };
	const struct interval b = { 5, 15 };
	struct interval both = interval_intersect(a, b);

	(void)state;
	assert_int_equal(both.low_ns, 5);
	assert_int_equal(both.high_ns, 10);
	both = interval_intersect(b, a);
	assert_int_equal(both.low_ns, 5);
	assert_int_equal(both.high_ns, 10);
	both = interval_intersect(a, (struct interval){ 11, 12 });
	assert_true(interval_is_empty(both));
}

static void widening_and_shifting_keep_what_was_inside(void **state)
{
	struct interval a = interval_widen((struct interval){ -1, 2 }, 3);

	(void)state;
	assert_int_equal(a.low_ns, -4);
	assert_int_equal(a.high_ns, 5);
	a = interval_shift(a, -10);
	assert_int_equal(a.low_ns, -14);
	assert_int_equal(a.high_ns, -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_belong_to_it),
		cmocka_unit_test(one_point_is_not_empty),
		cmocka_unit_test(the_common_part_is_in_both),
		cmocka_unit_test(widening_and_shifting_keep_what_was_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
