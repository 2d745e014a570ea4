/* The line readers are given: never narrower than the clock it stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/tsc.h"
#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/fastline.h"

static struct interval line_at(const struct clock_tsc *tsc, uint64_t cycles)
{
	uint64_t age = cycles - tsc->base;
	int64_t middle_ns =
		tsc->cluster_ns +
		(int64_t)((unsigned __int128)age * tsc->mult >> 64);
	int64_t half_ns = tsc->half_ns + (int64_t)((unsigned __int128)age *
							   tsc->growth >>
						   64);

	assert_true(age < tsc->life);
	return (struct interval){ middle_ns - half_ns, middle_ns + half_ns };
}

/* Any drift, growth, age, and any true line that the point allows: whatever
 * raw really is, the reader's interval holds what raw would have given. */
static void the_line_holds_the_clock_at_every_raw_it_allows(void **state)
{
	(void)state;
	struct prng prng;

	prng_seed(&prng, 7);
	for (int i = 0; i < 200000; i++) {
		uint64_t rate = (UINT64_C(1) << 62) + prng_below(
			&prng, UINT64_C(1) << 62);
		struct tscline_point point = {
			.base = prng_below(&prng, UINT64_C(1) << 50),
			.raw_ns = (int64_t)prng_below(&prng, 1 << 30) +
				  NS_PER_SEC,
			.error_ns = (int64_t)prng_below(&prng, 300),
			.rate = rate,
			.rate_error = prng_below(&prng, rate / 10000000),
		};
		struct clock_sample sample = {
			.quality = CLOCK_SYNCED,
			.asof_ns = point.raw_ns -
				   (int64_t)prng_below(&prng, 1 << 29),
			.offset_ns = (int64_t)prng_below(&prng, 1 << 30),
			.bound_ns = (int64_t)prng_below(&prng, 1 << 20),
			.drift_ppb = (int32_t)prng_below(&prng, 1000000) -
				     500000,
			.growth_ppb = (uint32_t)prng_below(&prng, 1000000),
			.void_after_ns = INT64_MAX,
		};

		fastline_project(&point, &sample);
		uint64_t age = prng_below(&prng, sample.tsc.life);
		/* raw there, at its slowest and fastest, and its start off. */
		uint64_t slow = rate - point.rate_error;
		uint64_t fast = rate + point.rate_error;
		int64_t raws[] = {
			point.raw_ns - point.error_ns +
				(int64_t)((unsigned __int128)age * slow >> 64),
			point.raw_ns + point.error_ns +
				(int64_t)((unsigned __int128)age * fast >> 64),
		};
		struct interval line =
			line_at(&sample.tsc, sample.tsc.base + age);

		for (int k = 0; k < 2; k++) {
			struct interval at =
				clock_sample_at(&sample, raws[k]);

			if (interval_is_empty(at))
				continue; /* before asof */
			/* But for what clock_sample_at() rounds up itself. */
			assert_true(line.low_ns <= at.low_ns + 2);
			assert_true(line.high_ns >= at.high_ns - 2);
		}
		assert_true(line.high_ns - line.low_ns <
			    2 * (sample.bound_ns + point.error_ns * 2 +
				 units_scale_ppb(4 * NS_PER_SEC,
						 sample.growth_ppb) +
				 4000));
	}
}

static void without_a_bound_there_is_no_line(void **state)
{
	(void)state;
	const struct tscline_point point = { .base = 1000,
					     .raw_ns = 5 * NS_PER_SEC,
					     .rate = UINT64_C(1) << 62 };
	struct clock_sample sample = { .quality = CLOCK_SYNCED,
				       .asof_ns = 5 * NS_PER_SEC,
				       .void_after_ns = 6 * NS_PER_SEC };

	fastline_project(&point, &sample);
	/* A quarter of a nanosecond a cycle, and a second left. */
	assert_in_range(sample.tsc.life, 3999999000, 4000000000);
	sample.quality = CLOCK_DISRUPTED;
	fastline_project(&point, &sample);
	assert_int_equal(sample.tsc.life, 0);
	sample.quality = CLOCK_SYNCED;
	sample.void_after_ns = 5 * NS_PER_SEC;
	fastline_project(&point, &sample);
	assert_int_equal(sample.tsc.life, 0);
	sample.void_after_ns = 6 * NS_PER_SEC;
	sample.asof_ns = 5 * NS_PER_SEC + 1;
	fastline_project(&point, &sample);
	assert_int_equal(sample.tsc.life, 0);
}

/* This machine's own clocks, where its kernel uses the TSC. */
static void the_line_of_this_machine_holds(void **state)
{
	(void)state;
	struct fastline fast;
	struct clock_sample sample = { .quality = CLOCK_SYNCED,
				       .asof_ns = clock_raw_ns(),
				       .offset_ns = 12345,
				       .bound_ns = 0,
				       .void_after_ns = INT64_MAX };

	fastline_init(&fast);
	if (!fast.is_clocksource) {
		fastline_add(&fast, &sample);
		assert_int_equal(sample.tsc.life, 0);
		fastline_fini(&fast);
		skip();
	}
	fastline_add(&fast, &sample);
	assert_int_equal(sample.tsc.life, 0);
	usleep(1010000);
	fastline_add(&fast, &sample);
	assert_true(sample.tsc.life > 0);
	for (int i = 0; i < 100000; i++) {
		int64_t before_ns = clock_raw_ns() + 12345;
		uint64_t cycles = tsc_read();
		int64_t after_ns = clock_raw_ns() + 12345;

		if (cycles - sample.tsc.base >= sample.tsc.life)
			break;
		struct interval line = line_at(&sample.tsc, cycles);

		assert_true(line.low_ns <= after_ns);
		assert_true(line.high_ns >= before_ns);
	}
	fastline_fini(&fast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_line_holds_the_clock_at_every_raw_it_allows),
		cmocka_unit_test(without_a_bound_there_is_no_line),
		cmocka_unit_test(the_line_of_this_machine_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
