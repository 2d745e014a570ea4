/* Who is believed: each row of the table in select.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timesyncd/core/select.h"

static struct select_voice says(int64_t low, int64_t high)
{
	return (struct select_voice){ .claim = { low, high }, .heard = true };
}

static const struct select_voice silent = { .heard = false };

static void nothing_heard_is_nothing_known(void **state)
{
	(void)state;
	const struct select_voice peers[] = { silent, silent };

	assert_int_equal(select_judge(&silent, peers, 2, -1).verdict,
			 SELECT_NOTHING);
	assert_int_equal(select_judge(&silent, NULL, 0, -1).verdict,
			 SELECT_NOTHING);
}

static void the_leader_alone_is_believed(void **state)
{
	(void)state;
	const struct select_voice peers[] = { says(10, 20), silent };
	struct select_result got = select_judge(&silent, peers, 2, 0);

	assert_int_equal(got.verdict, SELECT_AGREED);
	assert_int_equal(got.truth.low_ns, 10);
	assert_int_equal(got.truth.high_ns, 20);
	assert_int_equal(got.agreeing_count, 1);
}

static void the_leaders_interval_is_cut_by_our_own(void **state)
{
	(void)state;
	const struct select_voice self = says(15, 40);
	const struct select_voice peers[] = { says(10, 20), says(0, 100) };
	struct select_result got = select_judge(&self, peers, 2, 0);

	assert_int_equal(got.verdict, SELECT_AGREED);
	assert_int_equal(got.truth.low_ns, 15);
	assert_int_equal(got.truth.high_ns, 20);
	assert_int_equal(got.agreeing_count, 2);
}

static void witnesses_never_narrow_the_leaders_word(void **state)
{
	(void)state;
	const struct select_voice peers[] = { says(0, 100), says(3, 4) };
	struct select_result got = select_judge(&silent, peers, 2, 0);

	assert_int_equal(got.truth.low_ns, 0);
	assert_int_equal(got.truth.high_ns, 100);
}

static void a_lying_witness_is_left_out(void **state)
{
	(void)state;
	const struct select_voice self = says(10, 20);
	const struct select_voice peers[] = { says(10, 20), says(500, 501) };
	struct select_result got = select_judge(&self, peers, 2, 0);

	assert_int_equal(got.verdict, SELECT_AGREED);
	assert_int_equal(got.agreeing_mask, 1);
}

static void leader_and_witness_against_us_means_we_broke(void **state)
{
	(void)state;
	const struct select_voice self = says(900, 910);
	const struct select_voice peers[] = { says(10, 20), says(10, 30) };

	assert_int_equal(select_judge(&self, peers, 2, 0).verdict,
			 SELECT_SELF_BROKE);
}

static void with_two_nodes_the_leaders_word_is_final(void **state)
{
	(void)state;
	const struct select_voice self = says(900, 910);
	const struct select_voice peers[] = { says(10, 20) };
	struct select_result got = select_judge(&self, peers, 1, 0);

	assert_int_equal(got.verdict, SELECT_SELF_BROKE);
	assert_int_equal(got.held.low_ns, 900);
	assert_int_equal(got.met.high_ns, 20);
}

static void a_leader_against_the_majority_is_not_believed(void **state)
{
	(void)state;
	const struct select_voice self = says(10, 20);
	const struct select_voice peers[] = { says(900, 901), says(12, 22) };

	assert_int_equal(select_judge(&self, peers, 2, 0).verdict,
			 SELECT_LEADER_BROKE);
}

static void without_the_leader_the_majority_cuts_our_own(void **state)
{
	(void)state;
	const struct select_voice self = says(0, 100);
	const struct select_voice peers[] = { silent, says(40, 120) };
	struct select_result got = select_judge(&self, peers, 2, -1);

	assert_int_equal(got.verdict, SELECT_AGREED);
	assert_int_equal(got.truth.low_ns, 40);
	assert_int_equal(got.truth.high_ns, 100);
	assert_int_equal(got.agreeing_mask, 2);
}

static void without_anybody_our_own_stands_alone(void **state)
{
	(void)state;
	const struct select_voice self = says(0, 100);
	const struct select_voice peers[] = { silent, silent };
	struct select_result got = select_judge(&self, peers, 2, -1);

	assert_int_equal(got.verdict, SELECT_ALONE);
	assert_int_equal(got.truth.low_ns, 0);
	assert_int_equal(got.agreeing_count, 0);
}

static void one_contradicting_witness_is_not_a_majority(void **state)
{
	(void)state;
	const struct select_voice self = says(0, 100);
	const struct select_voice peers[] = { silent, says(400, 500) };

	assert_int_equal(select_judge(&self, peers, 2, -1).verdict,
			 SELECT_ALONE);
}

static void two_contradicting_witnesses_are(void **state)
{
	(void)state;
	const struct select_voice self = says(0, 100);
	const struct select_voice peers[] = { says(400, 500), says(450, 550) };

	assert_int_equal(select_judge(&self, peers, 2, -1).verdict,
			 SELECT_SELF_BROKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_heard_is_nothing_known),
		cmocka_unit_test(the_leader_alone_is_believed),
		cmocka_unit_test(the_leaders_interval_is_cut_by_our_own),
		cmocka_unit_test(witnesses_never_narrow_the_leaders_word),
		cmocka_unit_test(a_lying_witness_is_left_out),
		cmocka_unit_test(leader_and_witness_against_us_means_we_broke),
		cmocka_unit_test(with_two_nodes_the_leaders_word_is_final),
		cmocka_unit_test(a_leader_against_the_majority_is_not_believed),
		cmocka_unit_test(without_the_leader_the_majority_cuts_our_own),
		cmocka_unit_test(without_anybody_our_own_stands_alone),
		cmocka_unit_test(one_contradicting_witness_is_not_a_majority),
		cmocka_unit_test(two_contradicting_witnesses_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
