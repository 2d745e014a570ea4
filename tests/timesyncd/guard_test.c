/* The guards: what is too slow to steer, and when slow has become usual; what
 * TCP's round trips give doubts about; what an hour's slews add up to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timesyncd/core/guard.h"

static struct guard_path path_of(int64_t delay_ns)
{
	struct guard_path path;

	guard_path_init(&path);
	assert_true(guard_path_admits(&path, delay_ns, 0));
	return path;
}

static void three_times_the_least_and_200_us_is_the_limit(void **state)
{
	(void)state;
	struct guard_path path = path_of(100 * NS_PER_US);

	assert_true(guard_path_admits(&path, 500 * NS_PER_US, 1));
	assert_false(guard_path_admits(&path, 500 * NS_PER_US + 1, 2));
	assert_int_equal(guard_path_floor_ns(&path), 100 * NS_PER_US);
	/* A faster way is the measure from then on. */
	assert_true(guard_path_admits(&path, 10 * NS_PER_US, 3));
	assert_false(guard_path_admits(&path, 231 * NS_PER_US, 4));
}

static void whatever_comes_first_is_the_measure(void **state)
{
	(void)state;
	struct guard_path path;

	guard_path_init(&path);
	assert_int_equal(guard_path_floor_ns(&path), INT64_MAX);
	assert_true(guard_path_admits(&path, 0, 0));
	assert_false(guard_path_admits(&path, GUARD_SLACK_NS + 1, 1));
}

/* One exchange a second, all of them slow; returns when one steers. */
static int64_t admitted_after_ns(struct guard_path *path, int64_t from_ns,
				 int64_t gap_ns)
{
	int64_t t_ns = from_ns;

	do
		t_ns += gap_ns;
	while (!guard_path_admits(path, 50 * NS_PER_MS, t_ns));
	return t_ns - from_ns;
}

static void a_way_that_stays_slow_becomes_the_usual_one(void **state)
{
	(void)state;
	struct guard_path path = path_of(100 * NS_PER_US);

	assert_in_range(admitted_after_ns(&path, 0, NS_PER_SEC),
			GUARD_WINDOW_NS, 2 * GUARD_WINDOW_NS + NS_PER_SEC);
	assert_int_equal(guard_path_floor_ns(&path), 50 * NS_PER_MS);
}

static void a_few_slow_exchanges_are_never_usual(void **state)
{
	(void)state;
	struct guard_path path = path_of(100 * NS_PER_US);

	/* Four hours apart: 16 of them are needed, not one window's time. */
	assert_true(admitted_after_ns(&path, 0, 4 * 3600 * NS_PER_SEC) >=
		    GUARD_WINDOW_COUNT * 4 * 3600 * NS_PER_SEC);
}

static void what_is_far_slower_than_tcp_is_in_doubt(void **state)
{
	(void)state;
	int64_t tcp_ns = 100 * NS_PER_US;

	assert_int_equal(guard_doubt_ns(500 * NS_PER_US, tcp_ns), 0);
	assert_int_equal(guard_doubt_ns(600 * NS_PER_US, tcp_ns),
			 250 * NS_PER_US);
	assert_int_equal(guard_doubt_ns(NS_PER_SEC, 0), 0);
	assert_int_equal(guard_doubt_ns(NS_PER_SEC, -1), 0);
	assert_int_equal(guard_doubt_ns(NS_PER_SEC, INT64_MAX), 0);
}

static void a_doubt_begins_and_ends_with_several_in_a_row(void **state)
{
	(void)state;
	int64_t tcp_ns = 100 * NS_PER_US, slow_ns = NS_PER_MS;
	struct guard_doubt doubt = { 0 };

	for (uint32_t i = 1; i < GUARD_DOUBT_COUNT; i++)
		assert_false(guard_doubt_watch(&doubt, slow_ns, tcp_ns));
	/* One that is not slow, or of which nothing is known, starts anew. */
	assert_false(guard_doubt_watch(&doubt, tcp_ns, tcp_ns));
	for (uint32_t i = 1; i < GUARD_DOUBT_COUNT; i++)
		assert_false(guard_doubt_watch(&doubt, slow_ns, tcp_ns));
	assert_true(guard_doubt_watch(&doubt, slow_ns, tcp_ns));
	assert_true(doubt.on);
	for (uint32_t i = 1; i < GUARD_DOUBT_COUNT; i++)
		assert_false(guard_doubt_watch(&doubt, slow_ns, 0));
	assert_true(doubt.on);
	assert_true(guard_doubt_watch(&doubt, slow_ns, 0));
	assert_false(doubt.on);
}

static void a_budget_counts_the_last_hour_and_no_more(void **state)
{
	(void)state;
	struct guard_budget budget = { { 0 }, 0 };
	int64_t minute_ns = 60 * NS_PER_SEC;

	guard_budget_spend(&budget, minute_ns, 7);
	guard_budget_spend(&budget, 30 * minute_ns, -5);
	assert_int_equal(guard_budget_spent_ns(&budget, 30 * minute_ns), 12);
	assert_int_equal(guard_budget_spent_ns(&budget, 61 * minute_ns), 12);
	assert_int_equal(guard_budget_spent_ns(&budget, 66 * minute_ns), 5);
	assert_int_equal(guard_budget_spent_ns(&budget, 96 * minute_ns), 0);
}

static void a_budget_not_asked_for_days_is_empty(void **state)
{
	(void)state;
	struct guard_budget budget = { { 0 }, 0 };
	int64_t day_ns = 24 * 3600 * NS_PER_SEC;

	for (int64_t t_ns = 0; t_ns < day_ns; t_ns += GUARD_SLOT_NS)
		guard_budget_spend(&budget, t_ns, 1);
	assert_int_equal(guard_budget_spent_ns(&budget, day_ns - 1),
			 GUARD_SLOTS);
	assert_int_equal(guard_budget_spent_ns(&budget, 5 * day_ns), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_times_the_least_and_200_us_is_the_limit),
		cmocka_unit_test(whatever_comes_first_is_the_measure),
		cmocka_unit_test(a_way_that_stays_slow_becomes_the_usual_one),
		cmocka_unit_test(a_few_slow_exchanges_are_never_usual),
		cmocka_unit_test(what_is_far_slower_than_tcp_is_in_doubt),
		cmocka_unit_test(a_doubt_begins_and_ends_with_several_in_a_row),
		cmocka_unit_test(a_budget_counts_the_last_hour_and_no_more),
		cmocka_unit_test(a_budget_not_asked_for_days_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
