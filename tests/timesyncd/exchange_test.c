/* One exchange: the two formulas of RFC 5905, and what four stamps prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/exchange.h"

static const struct exchange_limits limits = {
	.rho_ppb = 200041,
	.precision_ns = 0,
	.max_rtt_ns = 500 * NS_PER_MS,
};

/* Peer ahead by 1000: leaves at 0, arrives at 100 (1100 there), answered 50
 * later, back after another 300. */
static void offset_and_delay_follow_the_formulas(void **state)
{
	(void)state;
	struct exchange_sample sample;

	assert_int_equal(exchange_measure(&limits, 0, 1100, 1150, 450, &sample),
			 RFS_ERR_OK);
	assert_int_equal(sample.delay_ns, (450 - 0) - (1150 - 1100));
	assert_int_equal(sample.offset_ns, ((1100 - 0) + (1150 - 450)) / 2);
	assert_int_equal(sample.at_ns, 450);
}

static void the_truth_is_proven_at_any_asymmetry(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 5);
	for (int i = 0; i < 20000; i++) {
		int64_t offset = (int64_t)prng_below(&prng, 1u << 30) - (1 << 29);
		int64_t there = (int64_t)prng_below(&prng, 5 * NS_PER_MS);
		int64_t stay = (int64_t)prng_below(&prng, NS_PER_MS);
		int64_t back = (int64_t)prng_below(&prng, 5 * NS_PER_MS);
		int64_t t1 = (int64_t)prng_below(&prng, 1u << 30);
		struct exchange_sample sample;

		assert_int_equal(exchange_measure(&limits, t1,
						  t1 + there + offset,
						  t1 + there + stay + offset,
						  t1 + there + stay + back,
						  &sample),
				 RFS_ERR_OK);
		assert_true(interval_contains(sample.proven, offset));
		assert_int_equal(sample.delay_ns, there + back);
		/* No wider than causality and rates demand. */
		assert_true(sample.proven.high_ns - sample.proven.low_ns <=
			    there + back + stay / 1000 + 4000);
	}
}

/* The peer asks and we answer; its clock is fast or slow, by up to rho. */
static void the_truth_is_proven_where_we_were_asked_too(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 6);
	for (int i = 0; i < 20000; i++) {
		int64_t offset = (int64_t)prng_below(&prng, 1u << 30) - (1 << 29);
		int64_t there = (int64_t)prng_below(&prng, 5 * NS_PER_MS);
		int64_t stay = (int64_t)prng_below(&prng, 20 * NS_PER_MS);
		int64_t back = (int64_t)prng_below(&prng, 5 * NS_PER_MS);
		int64_t rate_ppb = (int64_t)prng_below(&prng, 400001) - 200000;
		int64_t t2 = (int64_t)prng_below(&prng, 1u << 30);
		int64_t t3 = t2 + stay;
		/* Peer less ours is offset at T3, and goes by rate_ppb. */
		int64_t t1 = t2 - there + offset -
			     units_scale_ppb(there + stay, rate_ppb);
		int64_t t4 = t3 + back + offset + units_scale_ppb(back, rate_ppb);
		struct exchange_sample sample;

		assert_int_equal(exchange_measure_served(&limits, t1, t2, t3,
							 t4, &sample),
				 RFS_ERR_OK);
		assert_int_equal(sample.at_ns, t3);
		assert_true(interval_contains(
			interval_widen(sample.proven, 1), offset));
		assert_true(sample.middle_ns >= t2 && sample.middle_ns <= t3);
		assert_true(sample.proven.high_ns - sample.proven.low_ns <=
			    there + back + 20000);
		assert_true(llabs(sample.offset_ns - offset) <=
			    (there + back) / 2 + 10000);
	}
}

static void the_proof_ages_by_rho(void **state)
{
	(void)state;
	struct exchange_sample sample;
	struct interval later;

	assert_int_equal(exchange_measure(&limits, 0, 100, 100, 200, &sample),
			 RFS_ERR_OK);
	later = exchange_proven_at(&sample, 200 + 10 * NS_PER_SEC,
				   limits.rho_ppb);
	assert_true(sample.proven.low_ns - later.low_ns >= 2000410);
	assert_true(later.high_ns - sample.proven.high_ns >= 2000410);
	assert_true(later.high_ns - sample.proven.high_ns <= 2000412);
}

/* a runs at 1 + rho/2, b at 1 - rho/2: their ratio is a little above 1 + rho. */
static void the_effective_rho_covers_the_second_order(void **state)
{
	(void)state;
	double rho = 200e-6;
	double ratio = (1 + rho / 2) / (1 - rho / 2);

	assert_true((double)exchange_effective_rho_ppb(200000) >=
		    (ratio - 1) * 1e9);
	assert_true(exchange_effective_rho_ppb(200000) < 200100);
}

static void stamps_out_of_order_are_refused(void **state)
{
	(void)state;
	struct exchange_sample sample;

	assert_int_equal(exchange_measure(&limits, 10, 0, 0, 9, &sample),
			 RFS_ERR_INVALID);
	assert_int_equal(exchange_measure(&limits, 0, 10, 9, 20, &sample),
			 RFS_ERR_INVALID);
	/* Stayed longer than it was away. */
	assert_int_equal(exchange_measure(&limits, 0, 0, NS_PER_MS, 1000,
					  &sample),
			 RFS_ERR_INVALID);
}

static void stamps_no_clock_has_are_refused(void **state)
{
	(void)state;
	struct exchange_sample sample;

	assert_int_equal(exchange_measure(&limits, 0, INT64_MAX, INT64_MAX, 1,
					  &sample),
			 RFS_ERR_INVALID);
	assert_int_equal(exchange_measure(&limits, 0, INT64_MIN, 0, 1, &sample),
			 RFS_ERR_INVALID);
}

static void an_answer_slower_than_max_rtt_is_refused(void **state)
{
	(void)state;
	struct exchange_sample sample;

	assert_int_equal(exchange_measure(&limits, 0, 0, 0, 501 * NS_PER_MS,
					  &sample),
			 RFS_ERR_TIMEDOUT);
}

static void a_negative_delay_within_precision_is_zero(void **state)
{
	(void)state;
	struct exchange_limits coarse = limits;
	struct exchange_sample sample;

	coarse.precision_ns = 100;
	assert_int_equal(exchange_measure(&coarse, 0, 500, 650, 100, &sample),
			 RFS_ERR_OK);
	assert_int_equal(sample.delay_ns, 0);
	assert_false(interval_is_empty(sample.proven));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offset_and_delay_follow_the_formulas),
		cmocka_unit_test(the_truth_is_proven_at_any_asymmetry),
		cmocka_unit_test(the_truth_is_proven_where_we_were_asked_too),
		cmocka_unit_test(the_proof_ages_by_rho),
		cmocka_unit_test(the_effective_rho_covers_the_second_order),
		cmocka_unit_test(stamps_out_of_order_are_refused),
		cmocka_unit_test(stamps_no_clock_has_are_refused),
		cmocka_unit_test(an_answer_slower_than_max_rtt_is_refused),
		cmocka_unit_test(a_negative_delay_within_precision_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
