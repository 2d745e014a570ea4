/* Quorums over a fixed list of voters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "raftd/core/members.h"

static const struct members one = { { 7 }, 1 };
static const struct members three = { { 1, 2, 5 }, 3 };
static const struct members four = { { 1, 2, 3, 4 }, 4 };
static const struct members five = { { 1, 2, 3, 4, 9 }, 5 };

static void a_node_has_a_position_or_none(void **state)
{
	(void)state;
	assert_int_equal(members_position(&three, 5), 2);
	assert_int_equal(members_position(&three, 3), MEMBERS_NONE);
	assert_int_equal(members_position(&one, 7), 0);
}

static void a_quorum_is_more_than_half(void **state)
{
	(void)state;
	assert_int_equal(members_quorum(&one), 1);
	assert_int_equal(members_quorum(&three), 2);
	assert_int_equal(members_quorum(&four), 3);
	assert_int_equal(members_quorum(&five), 3);
	assert_true(members_is_quorum(&three, 1u << 0 | 1u << 2));
	assert_false(members_is_quorum(&four, 1u << 0 | 1u << 2));
}

static void reached_is_what_a_quorum_has_in_common(void **state)
{
	const uint64_t few[] = { 5, 9, 2 };
	const uint64_t even[] = { 5, 9, 2, 9 };
	const uint64_t many[] = { 1, 1, 8, 8, 8 };
	(void)state;

	assert_int_equal(members_reached(&three, few), 5);
	assert_int_equal(members_reached(&four, even), 5);
	assert_int_equal(members_reached(&five, many), 8);
	assert_int_equal(members_reached(&one, few), 5);
}

static void voters_are_named_in_order(void **state)
{
	char text[MEMBERS_TEXT_MAX];
	(void)state;

	assert_string_equal(members_text(&five, 1u << 1 | 1u << 4, text),
			    "2,9");
	assert_string_equal(members_text(&five, 0, text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_has_a_position_or_none),
		cmocka_unit_test(a_quorum_is_more_than_half),
		cmocka_unit_test(reached_is_what_a_quorum_has_in_common),
		cmocka_unit_test(voters_are_named_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
