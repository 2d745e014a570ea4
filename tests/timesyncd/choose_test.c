/* Whom to ask: near ones, far ones, nobody twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "timesyncd/core/choose.h"

#define MANY 300

/* A hundred nodes at each of three distances; ids tell which. */
static void fill(struct candidate *candidates)
{
	static const int64_t rtts_ns[] = {NS_PER_MS, 60 * NS_PER_MS,
					  160 * NS_PER_MS};

	for (uint32_t i = 0; i < MANY; i++)
		candidates[i] = (struct candidate){i, rtts_ns[i / 100]};
}

static void few_candidates_are_all_chosen(void **state)
{
	(void)state;
	struct candidate candidates[] = {{7, 3}, {8, 1}, {9, 2}};
	uint32_t chosen[5], seen = 0;
	struct prng prng;

	prng_seed(&prng, 1);
	assert_int_equal(choose_peers(candidates, 3, chosen, 5, &prng), 3);
	for (int i = 0; i < 3; i++)
		seen |= 1u << chosen[i];
	assert_int_equal(seen, 7u << 7);
}

static void nobody_is_no_choice(void **state)
{
	(void)state;
	uint32_t chosen[5];
	struct prng prng;

	prng_seed(&prng, 1);
	assert_int_equal(choose_peers(NULL, 0, chosen, 5, &prng), 0);
}

static void half_are_near_and_every_distance_is_among_them(void **state)
{
	(void)state;
	struct candidate candidates[MANY];
	uint32_t seen[3] = {0};

	for (uint64_t seed = 0; seed < 100; seed++) {
		uint32_t chosen[5], at[3] = {0};
		struct prng prng;

		prng_seed(&prng, seed);
		fill(candidates);
		assert_int_equal(
			choose_peers(candidates, MANY, chosen, 5, &prng), 5);
		for (int i = 0; i < 5; i++) {
			at[chosen[i] / 100]++;
			for (int k = 0; k < i; k++)
				assert_int_not_equal(chosen[i], chosen[k]);
		}
		assert_in_range(at[0], 3, 4);
		for (int k = 0; k < 3; k++)
			seen[k] += at[k];
	}
	assert_true(seen[1] > 50 && seen[2] > 50);
}

static void the_load_is_spread_over_equals(void **state)
{
	(void)state;
	struct candidate candidates[MANY];
	uint32_t asked[MANY] = {0};

	for (uint64_t seed = 0; seed < 1000; seed++) {
		uint32_t chosen[5];
		struct prng prng;

		prng_seed(&prng, seed);
		fill(candidates);
		choose_peers(candidates, MANY, chosen, 5, &prng);
		for (int i = 0; i < 5; i++)
			asked[chosen[i]]++;
	}
	/* 30 on average near, 10 far. */
	for (int i = 0; i < MANY; i++)
		assert_in_range(asked[i], 1, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_candidates_are_all_chosen),
		cmocka_unit_test(nobody_is_no_choice),
		cmocka_unit_test(
			half_are_near_and_every_distance_is_among_them),
		cmocka_unit_test(the_load_is_spread_over_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
