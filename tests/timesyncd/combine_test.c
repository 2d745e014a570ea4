/* The combination: weights, what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "common/prng.h"
#include "timesyncd/core/combine.h"

static void one_estimate_is_itself(void **state)
{
	(void)state;
	const struct estimate one = {INT64_C(1) << 60, 7, 1000};
	struct estimate got = combine_estimates(&one, 1);

	assert_true(got.offset_ns == one.offset_ns);
	assert_true(fabs(got.drift_ppb - 7) < 1e-9);
	assert_true(fabs(got.sigma_ns - 1000) < 2);
}

static void the_surer_one_weighs_more(void **state)
{
	(void)state;
	const struct estimate two[] = {{0, 0, 1000}, {3000, 30, 2000}};
	struct estimate got = combine_estimates(two, 2);

	assert_in_range(got.offset_ns, 590, 610);
	assert_true(fabs(got.drift_ppb - 6) < 0.1);
	assert_true(got.sigma_ns < 1000);
}

static void what_noise_cannot_explain_is_left_out(void **state)
{
	(void)state;
	const struct estimate two[] = {{0, 1, 1000}, {50000, 30, 1000}};
	struct estimate got = combine_estimates(two, 2);

	assert_int_equal(got.offset_ns, 0);
	assert_true(fabs(got.drift_ppb - 1) < 1e-9);
}

/* Direct, and through a third node: two thirds of the variance are left. */
static void a_loop_is_better_than_a_line(void **state)
{
	(void)state;
	struct prng prng;
	double line = 0, loop = 0;

	prng_seed(&prng, 1);
	for (int i = 0; i < 20000; i++) {
		double error[3];

		for (int k = 0; k < 3; k++)
			error[k] = (prng_unit(&prng) - 0.5) * 3464;
		const struct estimate two[] = {
			{(int64_t)error[0], 0, 1000},
			{(int64_t)(error[1] + error[2]), 0, 1414},
		};
		double got = (double)combine_estimates(two, 2).offset_ns;

		line += error[0] * error[0];
		loop += got * got;
	}
	assert_true(loop / line > 0.6 && loop / line < 0.72);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_estimate_is_itself),
		cmocka_unit_test(the_surer_one_weighs_more),
		cmocka_unit_test(what_noise_cannot_explain_is_left_out),
		cmocka_unit_test(a_loop_is_better_than_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
