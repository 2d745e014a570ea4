/* Who starts, stops and shares what. Pure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/core/order.h"

static void they_stop_in_reverse_one_at_a_time(void **state)
{
	enum supervise_state states[ORDER_CHILDREN] = { SUPERVISE_READY,
							SUPERVISE_READY,
							SUPERVISE_READY,
							SUPERVISE_READY };

	(void)state;
	assert_int_equal(order_stop_next(states), ORDER_GRPC);
	states[ORDER_GRPC] = SUPERVISE_DOWN;
	assert_int_equal(order_stop_next(states), ORDER_STORAGED);
	states[ORDER_STORAGED] = SUPERVISE_STOPPING;
	assert_int_equal(order_stop_next(states), ORDER_STORAGED);
	states[ORDER_STORAGED] = SUPERVISE_DOWN;
	assert_int_equal(order_stop_next(states), ORDER_RAFTD);
	states[ORDER_RAFTD] = SUPERVISE_DOWN;
	assert_int_equal(order_stop_next(states), ORDER_TIMESYNCD);
	states[ORDER_TIMESYNCD] = SUPERVISE_DOWN;
	assert_int_equal(order_stop_next(states), ORDER_CHILDREN);
}

static void each_page_has_one_writer_who_renews_it(void **state)
{
	(void)state;
	for (int thing = ORDER_CLOCK_PAGE; thing <= ORDER_CONS_PAGE; thing++) {
		int writers = 0;

		for (int i = 0; i < ORDER_CHILDREN; i++) {
			bool writes = order_role(i, thing) == ORDER_WRITER;

			writers += writes;
			assert_int_equal(order_renews(i, thing), writes);
			assert_int_equal(order_role(i, thing) == ORDER_NONE,
					 order_is_optional(i));
		}
		assert_int_equal(writers, 1);
	}
	assert_int_equal(order_role(ORDER_TIMESYNCD, ORDER_CLOCK_PAGE),
			 ORDER_WRITER);
	assert_int_equal(order_role(ORDER_RAFTD, ORDER_CONS_PAGE),
			 ORDER_WRITER);
}

static void the_link_is_new_at_the_start_of_either_end(void **state)
{
	(void)state;
	assert_false(order_renews(ORDER_TIMESYNCD, ORDER_LINK));
	assert_true(order_renews(ORDER_RAFTD, ORDER_LINK));
	assert_true(order_renews(ORDER_STORAGED, ORDER_LINK));
	assert_int_equal(order_role(ORDER_TIMESYNCD, ORDER_LINK), ORDER_NONE);
}

static void health_is_that_of_the_worst(void **state)
{
	const struct {
		enum supervise_state states[ORDER_CHILDREN];
		enum order_health health;
	} cases[] = {
		{ { SUPERVISE_READY, SUPERVISE_READY, SUPERVISE_READY },
		  ORDER_ALL_READY },
		{ { SUPERVISE_READY, SUPERVISE_STARTING, SUPERVISE_READY },
		  ORDER_COMING_UP },
		{ { SUPERVISE_READY, SUPERVISE_READY, SUPERVISE_BACKOFF },
		  ORDER_COMING_UP },
		{ { SUPERVISE_HELD, SUPERVISE_READY, SUPERVISE_BACKOFF },
		  ORDER_DEGRADED },
		{ { SUPERVISE_DOWN, SUPERVISE_DOWN, SUPERVISE_DOWN },
		  ORDER_STOPPED },
		{ { SUPERVISE_DOWN, SUPERVISE_READY, SUPERVISE_DOWN },
		  ORDER_COMING_UP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(order_health(cases[i].states),
				 cases[i].health);
}

static void what_is_optional_is_no_matter_of_health(void **state)
{
	enum supervise_state states[ORDER_CHILDREN] = { SUPERVISE_READY,
							SUPERVISE_READY,
							SUPERVISE_READY };

	(void)state;
	for (int i = 0; i < SUPERVISE_STATES; i++) {
		states[ORDER_GRPC] = (enum supervise_state)i;
		assert_int_equal(order_health(states), ORDER_ALL_READY);
	}
	assert_true(order_is_optional(ORDER_GRPC));
	assert_false(order_is_optional(ORDER_TIMESYNCD));
	assert_false(order_is_optional(ORDER_RAFTD));
	assert_false(order_is_optional(ORDER_STORAGED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_stop_in_reverse_one_at_a_time),
		cmocka_unit_test(each_page_has_one_writer_who_renews_it),
		cmocka_unit_test(the_link_is_new_at_the_start_of_either_end),
		cmocka_unit_test(health_is_that_of_the_worst),
		cmocka_unit_test(what_is_optional_is_no_matter_of_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
