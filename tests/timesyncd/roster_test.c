/* The roster: the carrier, near ones, far ones in turn; who is new first, who is
 * silent last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timesyncd/core/roster.h"

#define COUNT 10u

struct list {
	struct peer peers[COUNT];
	int64_t gap_ns[COUNT];
	struct prng prng;
};

static void hear(struct peer *peer, int64_t delay_ns)
{
	(void)guard_path_admits(&peer->path, delay_ns, 0);
	peer->schedule.asked = 1;
	peer->schedule.reach = 1;
}

/* Ids 1 to 10; each 1 ms further off than the one before. */
static struct list *new_list(uint64_t seed)
{
	static struct list list;

	list = (struct list){ 0 };
	prng_seed(&list.prng, seed);
	for (uint32_t i = 0; i < COUNT; i++) {
		peer_init(&list.peers[i], i + 1, 10, 0, 0);
		hear(&list.peers[i], (i + 1) * NS_PER_MS);
	}
	return &list;
}

/* Bit i: id i is chosen. */
static uint32_t choose(struct list *list, uint32_t places, uint32_t leader)
{
	const struct roster roster = { places, leader, list->gap_ns };
	uint32_t mask = 0;

	roster_choose(&roster, list->peers, COUNT, &list->prng);
	for (uint32_t i = 0; i < COUNT; i++)
		if (list->peers[i].chosen)
			mask |= UINT32_C(1) << list->peers[i].id;
	return mask;
}

static void with_places_for_all_all_are_asked(void **state)
{
	(void)state;
	assert_int_equal(choose(new_list(1), COUNT, 0), 0x7fe);
	assert_int_equal(choose(new_list(1), COUNT, 3), 0x7fe);
}

static void near_ones_stay_and_far_ones_take_turns(void **state)
{
	(void)state;
	struct list *list = new_list(2);
	uint32_t seen = 0;

	for (int i = 0; i < 100; i++) {
		uint32_t mask = choose(list, 4, 0);

		assert_int_equal(__builtin_popcount(mask), 4);
		assert_int_equal(mask & 0x6, 0x6);
		seen |= mask;
	}
	assert_int_equal(seen, 0x7fe);
}

static void the_carrier_has_a_place_however_far(void **state)
{
	(void)state;
	struct list *list = new_list(3);

	for (int i = 0; i < 20; i++) {
		uint32_t mask = choose(list, 3, 10);

		assert_int_equal(__builtin_popcount(mask), 3);
		assert_true((mask >> 10 & 1) != 0);
		assert_true((mask >> 1 & 1) != 0);
	}
	assert_int_equal(choose(list, 1, 10), 1u << 10);
}

static void references_take_nobodys_place(void **state)
{
	(void)state;
	struct list *list = new_list(4);

	list->gap_ns[9] = NS_PER_SEC;
	assert_int_equal(choose(list, 1, 0), 1u << 10 | 1u << 1);
}

static void who_was_never_measured_comes_first(void **state)
{
	(void)state;
	struct list *list = new_list(5);

	peer_init(&list->peers[6], 7, 10, 0, 0);
	peer_init(&list->peers[8], 9, 10, 0, 0);
	assert_int_equal(choose(list, 3, 0) & (1u << 7 | 1u << 9),
			 1u << 7 | 1u << 9);
}

static void who_does_not_answer_is_replaced(void **state)
{
	(void)state;
	struct list *list = new_list(6);

	list->peers[0].schedule.reach = 0;
	for (int i = 0; i < 20; i++)
		assert_int_equal(choose(list, 2, 0) >> 2 & 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_places_for_all_all_are_asked),
		cmocka_unit_test(near_ones_stay_and_far_ones_take_turns),
		cmocka_unit_test(the_carrier_has_a_place_however_far),
		cmocka_unit_test(references_take_nobodys_place),
		cmocka_unit_test(who_was_never_measured_comes_first),
		cmocka_unit_test(who_does_not_answer_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
