/* The generator against the published sequence of xoshiro256**. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "common/prng.h"

static void the_published_sequence_comes_out(void **state)
{
	struct prng prng = { { 1, 2, 3, 4 } };
	const uint64_t want[] = {
		11520,
		0,
		1509978240,
		1215971899390074240,
		1216172134540287360,
		607988272756665600,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_true(prng_next(&prng) == want[i]);
}

static void a_seed_becomes_a_state_by_splitmix64(void **state)
{
	struct prng prng;

	(void)state;
	prng_seed(&prng, 0);
	assert_true(prng.s[0] == 0xe220a8397b1dcdaf);
	assert_true(prng.s[1] == 0x6e789e6aa1b965f4);
	assert_true(prng.s[2] == 0x06c45d188009454f);
	assert_true(prng.s[3] == 0xf88bb8a8724c81ec);
}

static void below_stays_below_and_reaches_all(void **state)
{
	struct prng prng;
	bool seen[7] = { false };

	(void)state;
	prng_seed(&prng, 1);
	assert_int_equal(prng_below(&prng, 0), 0);
	assert_int_equal(prng_below(&prng, 1), 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t got = prng_below(&prng, 7);

		assert_true(got < 7);
		seen[got] = true;
	}
	for (int i = 0; i < 7; i++)
		assert_true(seen[i]);
}

static void unit_is_in_zero_to_one_and_centred(void **state)
{
	struct prng prng;
	double sum = 0;

	(void)state;
	prng_seed(&prng, 2);
	for (int i = 0; i < 10000; i++) {
		double got = prng_unit(&prng);

		assert_true(got >= 0 && got < 1);
		sum += got;
	}
	assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_sequence_comes_out),
		cmocka_unit_test(a_seed_becomes_a_state_by_splitmix64),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(unit_is_in_zero_to_one_and_centred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
