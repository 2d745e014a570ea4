/* The corridor: offset and drift from the least of each direction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/corridor.h"

#define BURST_NS (50 * NS_PER_MS)
#define FREE_PPB 20000.0

/* One clock as seen from another: a rate that walks, exchanges over queues. */
struct pair {
	struct corridor corridor;
	struct prng prng;
	int64_t now_ns;
	double offset_ns, drift_ppb;
	double delay_ns;
	double there_ns, back_ns; /* mean queues */
	double walk_ppb;	  /* a step of the rate each second */
};

static void start(struct pair *pair, uint64_t seed)
{
	*pair = (struct pair){
		.offset_ns = 5e6,
		.drift_ppb = 12000,
		.delay_ns = 100e3,
		.there_ns = 10e3,
		.back_ns = 10e3,
	};
	prng_seed(&pair->prng, seed);
	corridor_init(&pair->corridor, 0, FREE_PPB);
}

static double queue(struct pair *pair, double mean_ns)
{
	return -log(1 - prng_unit(&pair->prng)) * mean_ns;
}

static void wait(struct pair *pair, int64_t ns)
{
	double sign = prng_below(&pair->prng, 2) ? 1 : -1;

	pair->now_ns += ns;
	pair->offset_ns += pair->drift_ppb * (double)ns / 1e9;
	pair->drift_ppb += sign * pair->walk_ppb * sqrt((double)ns / 1e9);
}

static bool exchange(struct pair *pair)
{
	double there_ns = pair->delay_ns + queue(pair, pair->there_ns);
	double back_ns = pair->delay_ns + queue(pair, pair->back_ns);

	return corridor_add(&pair->corridor, pair->now_ns,
			    llround(pair->offset_ns + there_ns),
			    llround(pair->offset_ns - back_ns), BURST_NS);
}

static double error_ns(const struct pair *pair)
{
	return (double)corridor_offset_at(&pair->corridor, pair->now_ns) -
	       pair->offset_ns;
}

/* RMS error after a settling time, of an exchange every gap_ns. */
static double run(struct pair *pair, int count, int64_t gap_ns)
{
	double sum = 0;
	int counted = 0;

	for (int i = 0; i < count; i++) {
		wait(pair, gap_ns);
		exchange(pair);
		if (i < count / 4)
			continue;
		sum += error_ns(pair) * error_ns(pair);
		counted++;
	}
	return sqrt(sum / counted);
}

static void without_points_it_says_nothing(void **state)
{
	(void)state;
	struct corridor corridor;

	corridor_init(&corridor, 500, FREE_PPB);
	assert_int_equal(corridor_offset_at(&corridor, 77), 0);
	assert_true(corridor.drift_ppb == 500);
}

static void one_exchange_says_its_middle(void **state)
{
	(void)state;
	struct corridor corridor;

	corridor_init(&corridor, 0, FREE_PPB);
	assert_true(corridor_add(&corridor, 1000, 700, 100, BURST_NS));
	assert_int_equal(corridor_offset_at(&corridor, 1000), 400);
}

static void a_burst_keeps_the_least_of_each_direction(void **state)
{
	(void)state;
	struct corridor corridor;

	corridor_init(&corridor, 0, FREE_PPB);
	assert_true(corridor_add(&corridor, 0, 1000, -900, BURST_NS));
	assert_true(corridor_add(&corridor, 10, 150, -900, BURST_NS));
	assert_true(corridor_add(&corridor, 20, 1000, -50, BURST_NS));
	assert_int_equal(corridor.upper.count, 1);
	assert_true(llabs(corridor_offset_at(&corridor, 20) - 50) <= 1);
}

/* The mean of n exchanges with 10 us of queue each way is off by 7 us / sqrt(n)
 * at the middle of a line, twice that at its end: 3.5 us for 16. */
static void it_is_better_than_any_average(void **state)
{
	(void)state;
	struct pair pair;

	start(&pair, 1);
	assert_true(run(&pair, 400, NS_PER_SEC) < 700);
	assert_true(fabs(pair.corridor.drift_ppb - pair.drift_ppb) < 100);
}

static void a_queue_in_one_direction_only_does_no_harm(void **state)
{
	(void)state;
	struct pair pair;

	start(&pair, 2);
	pair.there_ns = 500e3;
	pair.back_ns = 2e3;
	assert_true(run(&pair, 400, NS_PER_SEC) < 20e3);
}

static void the_memory_is_as_long_as_the_clocks_allow(void **state)
{
	(void)state;
	struct pair steady, restless;

	start(&steady, 3);
	steady.walk_ppb = 1;
	start(&restless, 3);
	restless.walk_ppb = 100;
	assert_true(run(&steady, 2000, 16 * NS_PER_SEC) < 1800);
	/* Its rate walks by 400 ppb between two exchanges. */
	assert_true(run(&restless, 2000, 16 * NS_PER_SEC) < 10e3);
	assert_true(restless.corridor.wander_ppb >
		    10 * steady.corridor.wander_ppb);
}

static void a_step_of_the_rate_drops_the_past(void **state)
{
	(void)state;
	struct pair pair;

	start(&pair, 4);
	run(&pair, 100, NS_PER_SEC);
	assert_int_equal(pair.corridor.surprises, 0);
	pair.drift_ppb += 50000;
	for (int i = 0; i < 3; i++) {
		wait(&pair, NS_PER_SEC);
		exchange(&pair);
	}
	assert_in_range(pair.corridor.surprises, 1, 2);
	assert_true(fabs(error_ns(&pair)) < 30e3);
	assert_true(run(&pair, 40, NS_PER_SEC) < 5e3);
}

static void steady_clocks_do_not_surprise(void **state)
{
	(void)state;

	for (uint64_t seed = 10; seed < 20; seed++) {
		struct pair pair;

		start(&pair, seed);
		pair.walk_ppb = 1;
		run(&pair, 1000, 8 * NS_PER_SEC);
		assert_int_equal(pair.corridor.surprises, 0);
	}
}

static void sigma_is_of_the_size_of_the_error(void **state)
{
	(void)state;
	struct pair pair;

	start(&pair, 5);
	pair.walk_ppb = 1;
	double rms_ns = run(&pair, 1000, 4 * NS_PER_SEC);
	double sigma_ns = corridor_sigma_at_ns(&pair.corridor, pair.now_ns);

	assert_true(sigma_ns > rms_ns / 4 && sigma_ns < rms_ns * 4);
	assert_true(corridor_sigma_at_ns(&pair.corridor,
					 pair.now_ns + 100 * NS_PER_SEC) >
		    sigma_ns);
}

/* Whatever comes in, what goes out is a number. */
static void nonsense_leaves_numbers(void **state)
{
	(void)state;
	struct corridor corridor;
	struct prng prng;
	int64_t at_ns = 0;

	prng_seed(&prng, 6);
	corridor_init(&corridor, 0, FREE_PPB);
	for (int i = 0; i < 2000; i++) {
		int64_t lower_ns =
			(int64_t)prng_below(&prng, 1u << 30) - (1 << 29);

		at_ns += (int64_t)prng_below(&prng, NS_PER_SEC);
		corridor_add(&corridor, at_ns,
			     lower_ns + (int64_t)prng_below(&prng, 1u << 24),
			     lower_ns, BURST_NS);
		assert_true(isfinite(corridor.drift_ppb));
		assert_true(isfinite(corridor.wander_ppb));
		assert_true(isfinite(corridor_sigma_at_ns(&corridor, at_ns)));
		assert_true(llabs(corridor_offset_at(&corridor, at_ns)) <
			    INT64_C(1) << 32);
	}
}

/* The best drift lies outside the range, so the likelihood only grows up to
 * its edge and on behind it. */
static void a_rate_beyond_reason_leaves_numbers(void **state)
{
	const double rates_ppb[] = { 3e7, -3e7, 2e6, -2e6 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates_ppb) / sizeof(rates_ppb[0]); i++) {
		struct pair pair;

		start(&pair, 7 + i);
		run(&pair, 40, 2 * NS_PER_SEC);
		pair.drift_ppb = rates_ppb[i];
		run(&pair, 40, 2 * NS_PER_SEC);
		assert_true(isfinite(pair.corridor.drift_ppb));
		assert_true(fabs(pair.corridor.drift_ppb) <= 1e6 + 1);
		assert_true(isfinite(
			corridor_sigma_at_ns(&pair.corridor, pair.now_ns)));
		assert_true(fabs(error_ns(&pair)) < 1e12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_points_it_says_nothing),
		cmocka_unit_test(one_exchange_says_its_middle),
		cmocka_unit_test(a_burst_keeps_the_least_of_each_direction),
		cmocka_unit_test(it_is_better_than_any_average),
		cmocka_unit_test(a_queue_in_one_direction_only_does_no_harm),
		cmocka_unit_test(the_memory_is_as_long_as_the_clocks_allow),
		cmocka_unit_test(a_step_of_the_rate_drops_the_past),
		cmocka_unit_test(steady_clocks_do_not_surprise),
		cmocka_unit_test(sigma_is_of_the_size_of_the_error),
		cmocka_unit_test(nonsense_leaves_numbers),
		cmocka_unit_test(a_rate_beyond_reason_leaves_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
