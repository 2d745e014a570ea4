/* Which references are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timesyncd/core/reference.h"

/* Two nodes, then servers: of the first two the gap is 0. */
static const int64_t gaps[] = { 0, 0, 1, 1, 1 };

static struct select_voice voice(int64_t low_ns, int64_t high_ns)
{
	return (struct select_voice){ .claim = { low_ns, high_ns },
				      .heard = true };
}

static void one_reference_of_one_is_believed(void **state)
{
	struct select_voice voices[] = { voice(0, 1), voice(0, 1),
					 voice(500, 600) };

	(void)state;
	assert_int_equal(reference_choose(voices, gaps, 3), 2);
	assert_int_equal(voices[2].claim.low_ns, 500);
}

static void a_majority_of_them_outvotes_a_liar_and_the_nodes(void **state)
{
	struct select_voice voices[] = { voice(900, 910), voice(900, 910),
					 voice(900, 905), voice(0, 20),
					 voice(10, 19) };

	(void)state;
	assert_int_equal(reference_choose(voices, gaps, 5), 4);
	assert_int_equal(voices[4].claim.low_ns, 10);
	assert_int_equal(voices[4].claim.high_ns, 19);
	assert_true(voices[2].heard); /* to be named a falseticker */
	assert_true(voices[0].heard);
}

static void the_first_to_answer_is_not_believed_for_that(void **state)
{
	struct select_voice voices[] = { voice(0, 1), voice(0, 1),
					 voice(900, 905), { .heard = false },
					 { .heard = false } };

	(void)state;
	assert_int_equal(reference_choose(voices, gaps, 5), -1);
	assert_false(voices[2].heard);
	assert_true(voices[0].heard);
}

static void two_that_differ_are_none(void **state)
{
	struct select_voice voices[] = { voice(0, 1), voice(0, 1),
					 voice(900, 905), voice(5, 6) };

	(void)state;
	assert_int_equal(reference_choose(voices, gaps, 4), -1);
	assert_false(voices[2].heard);
	assert_false(voices[3].heard);
}

static void without_references_nothing_changes(void **state)
{
	struct select_voice voices[] = { voice(0, 1), voice(2, 3) };

	(void)state;
	assert_int_equal(reference_choose(voices, gaps, 2), -1);
	assert_true(voices[0].heard && voices[1].heard);
}

/* Three nodes, one's view: the two others, and its host's clock. */
static const int64_t host_gaps[] = { 0, 0, 1 };

static bool denied(struct select_voice a, struct select_voice b,
		   struct select_voice host, bool disrupted)
{
	struct select_voice voices[] = { a, b, host };

	return reference_denies_host(voices, host_gaps, 3, 2, disrupted);
}

static void a_host_is_believed_unless_most_nodes_contradict(void **state)
{
	const struct select_voice silent = { .heard = false };

	(void)state;
	assert_false(denied(silent, silent, voice(5, 6), false));
	assert_false(denied(voice(0, 9), silent, voice(5, 6), false));
	assert_false(denied(voice(50, 59), silent, voice(5, 6), false));
	assert_false(denied(voice(50, 59), voice(0, 9), voice(5, 6), false));
	assert_false(denied(voice(50, 59), voice(80, 81), voice(5, 6), false));
	assert_true(denied(voice(50, 59), voice(55, 70), voice(5, 6), false));
}

static void after_a_disruption_a_host_needs_a_majority(void **state)
{
	const struct select_voice silent = { .heard = false };

	(void)state;
	assert_true(denied(silent, silent, voice(5, 6), true));
	assert_true(denied(voice(50, 59), silent, voice(5, 6), true));
	assert_false(denied(voice(0, 9), silent, voice(5, 6), true));
	assert_false(denied(voice(0, 9), voice(50, 59), voice(5, 6), true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reference_of_one_is_believed),
		cmocka_unit_test(
			a_majority_of_them_outvotes_a_liar_and_the_nodes),
		cmocka_unit_test(the_first_to_answer_is_not_believed_for_that),
		cmocka_unit_test(two_that_differ_are_none),
		cmocka_unit_test(without_references_nothing_changes),
		cmocka_unit_test(
			a_host_is_believed_unless_most_nodes_contradict),
		cmocka_unit_test(after_a_disruption_a_host_needs_a_majority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
