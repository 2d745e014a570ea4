/* raw as a line over the TSC: what readings prove of it, and when it broke. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/tscline.h"

/* A 2.6 GHz counter: raw = cycles * mult >> shift, as the kernel does it. */
#define MULT  6452554u
#define SHIFT 24

static int64_t raw_at(uint64_t cycles, uint64_t mult)
{
	return (int64_t)((unsigned __int128)cycles * mult >> SHIFT);
}

/* A reading around `cycles`, of a width and a place in it that vary. */
static struct tscline_reading read_at(struct prng *prng, uint64_t cycles,
				      uint64_t mult)
{
	uint64_t early = prng_below(prng, 100);
	uint64_t late = prng_below(prng, 100);

	return (struct tscline_reading){ .before = cycles - early,
					 .after = cycles + late,
					 .raw_ns = raw_at(cycles, mult) };
}

static void assert_contains(const struct tscline_point *point, uint64_t cycles,
			    uint64_t mult)
{
	uint64_t age = cycles - point->base;
	__int128 truth = (__int128)raw_at(cycles, mult) - point->raw_ns;
	__int128 low = ((unsigned __int128)age *
			(point->rate - point->rate_error) >> 64) -
		       point->error_ns;
	__int128 high = ((unsigned __int128)age *
			 (point->rate + point->rate_error) >> 64) +
			point->error_ns + 1;

	assert_true(low <= truth && truth <= high);
}

static void the_line_holds_at_every_later_instant(void **state)
{
	(void)state;

	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct tscline line = { 0 };
		struct tscline_point point;
		struct prng prng;
		uint64_t cycles = UINT64_C(5) << 40;

		prng_seed(&prng, seed);
		for (int i = 0; i < 2000; i++) {
			struct tscline_reading reading =
				read_at(&prng, cycles, MULT);

			assert_true(tscline_add(&line, &reading));
			if (tscline_at(&line, &reading, &point) == RFS_ERR_OK)
				for (int k = 0; k < 5; k++)
					assert_contains(
						&point,
						cycles + 200 +
							prng_below(&prng,
								   7800000000),
						MULT);
			cycles += 1000 + prng_below(&prng, 2600000000);
		}
		assert_true(line.known);
		assert_int_equal(line.breaks, 0);
		/* Half an hour later the rate is known to 0.1 ppb. */
		assert_true(point.rate_error < point.rate / 10000000000);
		assert_true(point.error_ns < 100);
	}
}

static void a_rate_needs_a_second(void **state)
{
	(void)state;
	struct tscline line = { 0 };
	struct tscline_point point;
	struct prng prng;
	struct tscline_reading reading;

	prng_seed(&prng, 1);
	reading = read_at(&prng, 1000000, MULT);
	assert_true(tscline_add(&line, &reading));
	assert_int_equal(tscline_at(&line, &reading, &point), RFS_ERR_BUSY);
	reading = read_at(&prng, 2000000000, MULT);
	assert_true(tscline_add(&line, &reading));
	assert_int_equal(tscline_at(&line, &reading, &point), RFS_ERR_BUSY);
	reading = read_at(&prng, 3000000000, MULT);
	assert_true(tscline_add(&line, &reading));
	assert_int_equal(tscline_at(&line, &reading, &point), RFS_ERR_OK);
}

static void learn(struct tscline *line, struct prng *prng, uint64_t *cycles,
		  int64_t raw_offset_ns)
{
	for (int i = 0; i < 10; i++) {
		struct tscline_reading reading = read_at(prng, *cycles, MULT);

		reading.raw_ns += raw_offset_ns;
		assert_true(tscline_add(line, &reading));
		*cycles += 2600000000;
	}
	assert_true(line->known);
}

/* The kernel took another clock: raw goes on, 20 ppm faster. */
static void another_rate_breaks_the_line(void **state)
{
	(void)state;
	struct tscline line = { 0 };
	struct prng prng;
	struct tscline_reading reading;
	struct tscline_point point;
	uint64_t cycles = 1000000, since;

	prng_seed(&prng, 2);
	learn(&line, &prng, &cycles, 0);
	since = cycles;
	cycles += 2600000000;
	reading = read_at(&prng, cycles, MULT);
	reading.raw_ns += raw_at(cycles - since, MULT) / 50000;
	assert_false(tscline_add(&line, &reading));
	assert_int_equal(line.breaks, 1);
	assert_int_equal(tscline_at(&line, &reading, &point), RFS_ERR_BUSY);
}

/* A machine was restored: the counter starts again. */
static void a_counter_that_went_back_breaks_the_line(void **state)
{
	(void)state;
	struct tscline line = { 0 };
	struct prng prng;
	struct tscline_reading reading;
	uint64_t cycles = 1000000000;

	prng_seed(&prng, 3);
	learn(&line, &prng, &cycles, 0);
	reading = read_at(&prng, 5000, MULT);
	int64_t gone_ns = raw_at(cycles, MULT);

	reading.raw_ns += gone_ns;
	assert_false(tscline_add(&line, &reading));
	assert_false(line.known);
	/* And what comes after is a line again. */
	cycles = 3000000000;
	learn(&line, &prng, &cycles, gone_ns);
}

static void an_interrupted_reading_is_left_out(void **state)
{
	(void)state;
	struct tscline line = { 0 };
	struct prng prng;
	struct tscline_reading reading;
	struct tscline_point point;
	uint64_t cycles = 1000000000;

	prng_seed(&prng, 4);
	learn(&line, &prng, &cycles, 0);
	reading = read_at(&prng, cycles, MULT);
	reading.after += 1000000;
	assert_true(tscline_add(&line, &reading));
	assert_int_equal(tscline_at(&line, &reading, &point), RFS_ERR_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_holds_at_every_later_instant),
		cmocka_unit_test(a_rate_needs_a_second),
		cmocka_unit_test(another_rate_breaks_the_line),
		cmocka_unit_test(a_counter_that_went_back_breaks_the_line),
		cmocka_unit_test(an_interrupted_reading_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
