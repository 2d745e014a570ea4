/* Quorums over one set of voters, or two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "raftd/core/members.h"

static const struct members one = { { 7 }, 1, 1, 0 };
static const struct members three = { { 1, 2, 5 }, 3, 7, 0 };
static const struct members four = { { 1, 2, 3, 4 }, 4, 15, 0 };
static const struct members five = { { 1, 2, 3, 4, 9 }, 5, 31, 0 };
/* 1, 2, 3 give way to 3, 4, 5; 6 learns. */
static const struct members joint = { { 1, 2, 3, 4, 5, 6 }, 6, 28, 7 };

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
	assert_true(members_is_quorum(&one, 1u));
	assert_false(members_is_quorum(&one, 0));
	assert_true(members_is_quorum(&three, 1u << 0 | 1u << 2));
	assert_false(members_is_quorum(&three, 1u << 0));
	assert_false(members_is_quorum(&four, 1u << 0 | 1u << 2));
	assert_true(members_is_quorum(&four, 7));
	assert_true(members_is_quorum(&five, 7));
}

static void both_sets_of_a_joint_membership_must_agree(void **state)
{
	const uint64_t values[] = { 9, 9, 1, 7, 7, 9 };
	(void)state;

	assert_false(members_is_quorum(&joint, 1u << 0 | 1u << 1));
	assert_false(members_is_quorum(&joint, 1u << 3 | 1u << 4));
	assert_true(members_is_quorum(&joint, 1u << 1 | 1u << 2 | 1u << 3));
	assert_false(members_is_quorum(&joint, 1u << 2));
	assert_int_equal(members_reached(&joint, values), 7);
	assert_int_equal(members_voter_count(&joint), 5);
	assert_true(members_votes(&joint, 0));
	assert_true(members_votes(&joint, 4));
}

static void a_learner_never_counts(void **state)
{
	const uint64_t values[] = { 3, 3, 3, 0, 0, 9 };
	(void)state;

	assert_false(members_votes(&joint, 5));
	assert_false(members_votes(&joint, MEMBERS_NONE));
	assert_false(members_is_quorum(&joint, 1u << 0 | 1u << 1 | 1u << 5));
	assert_int_equal(members_reached(&joint, values), 0);
}

static void alone_is_who_needs_nobody_else(void **state)
{
	const struct members growing = { { 7, 8 }, 2, 3, 1 };
	const struct members learning = { { 7, 8 }, 2, 1, 0 };
	(void)state;

	assert_true(members_is_alone(&one, 7));
	assert_false(members_is_alone(&one, 8));
	assert_true(members_is_alone(&learning, 7));
	assert_false(members_is_alone(&learning, 8));
	assert_false(members_is_alone(&growing, 7));
	assert_false(members_is_alone(&three, 1));
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
		cmocka_unit_test(both_sets_of_a_joint_membership_must_agree),
		cmocka_unit_test(a_learner_never_counts),
		cmocka_unit_test(alone_is_who_needs_nobody_else),
		cmocka_unit_test(reached_is_what_a_quorum_has_in_common),
		cmocka_unit_test(voters_are_named_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
