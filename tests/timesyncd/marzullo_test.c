/* Marzullo selection, by hand-drawn intervals. Pure: no clock, no seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/prng.h"
#include "timesyncd/core/marzullo.h"

/* Three peers; the third lies. Offsets in us for legibility.
 *
 *      0    5   10   15   20         500
 *   A  |---------|                         [ 0, 10]
 *   B       |---------|                    [ 5, 15]
 *   C                                 x    [500,500]
 *           |####|                         answer [5, 10], 2 of 3
 */
static void majority_outvotes_a_falseticker(void **state)
{
	(void)state;
	const struct interval claims[] = {
		{ .low_ns = 0, .high_ns = 10000 },
		{ .low_ns = 5000, .high_ns = 15000 },
		{ .low_ns = 500000, .high_ns = 500000 },
	};

	struct selection got = marzullo_select(claims, 3);

	assert_int_equal(got.interval.low_ns, 5000);
	assert_int_equal(got.interval.high_ns, 10000);
	assert_int_equal(got.truechimers, 2);
	assert_int_equal(got.falsetickers, 1);
	assert_true(selection_has(&got, 0));
	assert_true(selection_has(&got, 1));
	assert_false(selection_has(&got, 2));
}

/*      0    5  7 8  10   15
 *   A  |---------|               truth: 6
 *   B       |---------|
 *   C           |-|              lies, but inside both
 *           |####|               still [5, 10]: two of three cover it all
 */
static void a_liar_that_overlaps_cleverly_cannot_narrow(void **state)
{
	(void)state;
	const struct interval claims[] = { { 0, 10 }, { 5, 15 }, { 7, 8 } };
	struct selection got = marzullo_select(claims, 3);

	assert_int_equal(got.interval.low_ns, 5);
	assert_int_equal(got.interval.high_ns, 10);
	assert_int_equal(got.truechimers, 3);
}

static void two_that_differ_have_no_majority(void **state)
{
	(void)state;
	const struct interval claims[] = { { 0, 10 }, { 11, 15 } };
	struct selection got = marzullo_select(claims, 2);

	assert_true(interval_is_empty(got.interval));
	assert_int_equal(got.truechimers, 0);
	assert_int_equal(got.falsetickers, 2);
}

static void two_that_touch_agree_on_the_point(void **state)
{
	(void)state;
	const struct interval claims[] = { { 0, 10 }, { 10, 15 } };
	struct selection got = marzullo_select(claims, 2);

	assert_int_equal(got.interval.low_ns, 10);
	assert_int_equal(got.interval.high_ns, 10);
	assert_int_equal(got.truechimers, 2);
}

static void one_alone_is_its_own_majority(void **state)
{
	(void)state;
	const struct interval claims[] = { { 3, 4 } };
	struct selection got = marzullo_select(claims, 1);

	assert_int_equal(got.interval.low_ns, 3);
	assert_int_equal(got.interval.high_ns, 4);
}

static void nobody_agrees_on_nothing(void **state)
{
	(void)state;
	struct selection got = marzullo_select(NULL, 0);

	assert_true(interval_is_empty(got.interval));
	assert_int_equal(got.truechimers, 0);
}

static void an_empty_claim_agrees_with_nothing(void **state)
{
	(void)state;
	const struct interval claims[] = { { 0, 10 }, { 9, 1 }, { 2, 3 } };
	struct selection got = marzullo_select(claims, 3);

	assert_int_equal(got.interval.low_ns, 2);
	assert_int_equal(got.interval.high_ns, 3);
	assert_false(selection_has(&got, 1));
}

static struct interval random_claim(struct prng *prng, bool honest)
{
	int64_t low = (int64_t)prng_below(prng, 100);
	int64_t high = (int64_t)prng_below(prng, 100);

	if (honest) /* the truth is 0 */
		return (struct interval){ -low, high };
	return (struct interval){ low - 50, low - 50 + high };
}

static void the_truth_survives_any_minority_of_liars(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 11);
	for (int round = 0; round < 50000; round++) {
		struct interval claims[9];
		uint32_t count = 1 + (uint32_t)prng_below(&prng, 9);
		uint32_t liars = (count - 1) / 2;

		for (uint32_t i = 0; i < count; i++)
			claims[i] = random_claim(&prng, i >= liars);
		struct selection got = marzullo_select(claims, count);

		assert_true(interval_contains(got.interval, 0));
		for (uint32_t i = liars; i < count; i++)
			assert_true(selection_has(&got, i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(majority_outvotes_a_falseticker),
		cmocka_unit_test(a_liar_that_overlaps_cleverly_cannot_narrow),
		cmocka_unit_test(two_that_differ_have_no_majority),
		cmocka_unit_test(two_that_touch_agree_on_the_point),
		cmocka_unit_test(one_alone_is_its_own_majority),
		cmocka_unit_test(nobody_agrees_on_nothing),
		cmocka_unit_test(an_empty_claim_agrees_with_nothing),
		cmocka_unit_test(the_truth_survives_any_minority_of_liars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
