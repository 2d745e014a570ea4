/* Nodes that come and go while the others run: who is connected to whom, and
 * whose copies of large data count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "tests/storaged/trio.h"

#define LARGE_BYTES 700000u

static uint8_t large[LARGE_BYTES];

static int five(void **state)
{
	struct trio *trio = trio_new(5);

	for (size_t i = 0; i < LARGE_BYTES; i++)
		large[i] = (uint8_t)(i * 131 + (i >> 9));
	*state = trio;
	return 0;
}

static int end(void **state)
{
	trio_free(*state);
	return 0;
}

static bool count_one(void *ctx, uint64_t id, uint64_t file_bytes)
{
	uint32_t *count = ctx;

	(void)id;
	(void)file_bytes;
	++*count;
	return true;
}

static bool delete_one(void *ctx, uint64_t id, uint64_t file_bytes)
{
	(void)file_bytes;
	chunks_delete(ctx, id);
	return true;
}

static uint32_t chunks_on(struct trio *trio, uint32_t number)
{
	uint32_t count = 0;

	chunks_each(trio->nodes[number - 1].s.chunks, count_one, &count);
	return count;
}

static bool is_large_everywhere(struct trio *trio)
{
	for (uint32_t number = 1; number <= trio->count; number++)
		if (trio->nodes[number - 1].up && chunks_on(trio, number) == 0)
			return false;
	return true;
}

static bool nobody_is_filling(struct trio *trio)
{
	for (uint32_t i = 0; i < trio->count; i++)
		if (trio->nodes[i].up && trio->nodes[i].filling)
			return false;
	return true;
}

/* All copies are gone: what is not to be had holds up nobody. */
static void who_comes_does_not_wait_for_what_nobody_has(void **state)
{
	struct trio *trio = *state;

	trio_stop(trio, 4);
	trio_stop(trio, 5);
	assert_int_equal(trio_put(trio, 1, "f", large, LARGE_BYTES),
			 RFS_ERR_OK);
	trio_until(trio, is_large_everywhere);
	for (uint32_t number = 1; number <= 3; number++)
		chunks_each(trio->nodes[number - 1].s.chunks, delete_one,
			    trio->nodes[number - 1].s.chunks);
	trio_start(trio, 4);
	trio_until(trio, nobody_is_filling);
	assert_int_equal(chunks_on(trio, 4), 0);
}

static void who_leaves_is_hung_up_on_and_who_comes_is_dialled(void **state)
{
	struct trio *trio = *state;

	trio_set_members(trio, "vvv--");
	trio_until(trio, trio_all_connected);
	trio_set_members(trio, "v-vvl");
	trio_until(trio, trio_all_connected);
	trio_set_members(trio, "vvvvv");
	trio_until(trio, trio_all_connected);
}

static void who_comes_gets_what_was_written_before(void **state)
{
	struct trio *trio = *state;

	trio_set_members(trio, "vvv--");
	trio_stop(trio, 4);
	trio_stop(trio, 5);
	assert_int_equal(trio_put(trio, 1, "f", large, LARGE_BYTES),
			 RFS_ERR_OK);
	trio_start(trio, 4);
	assert_true(trio->nodes[3].filling);
	trio_set_members(trio, "vvvl-");
	trio_until(trio, nobody_is_filling);
	assert_true(is_large_everywhere(trio));
	/* Its clients read and write as any others. */
	uint64_t ino = trio_find(trio, 4, "f");
	assert_int_equal(trio_read(trio, 4, ino, 0, LARGE_BYTES), RFS_ERR_OK);
	assert_memory_equal(trio->reply->data.data, large, LARGE_BYTES);
	assert_int_equal(trio_put(trio, 4, "g", large, LARGE_BYTES),
			 RFS_ERR_OK);
	assert_int_not_equal(trio_find(trio, 1, "g"), 0);
}

/* A put by node 1 that only 1, 4 and 5 store. Once they do it goes on for a
 * while, unanswered; then the members become `then`. */
struct patience {
	struct trio *trio;
	struct ev_timer timer;
	const char *then;
	uint32_t turns;
};

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct patience *patience = timer->data;
	struct trio *trio = patience->trio;

	(void)loop;
	(void)events;
	if (chunks_on(trio, 1) < 2 || chunks_on(trio, 4) < 2 ||
	    chunks_on(trio, 5) < 2)
		return;
	if (patience->turns++ < 15) {
		assert_null(trio->reply);
		return;
	}
	if (patience->then)
		trio_set_members(trio, patience->then);
	patience->then = NULL;
}

static void put_without_two_and_three(struct trio *trio, const char *members,
				      const char *then)
{
	struct patience patience = { .trio = trio, .then = then };

	/* So that node 1 has ids to give; one chunk on each. */
	assert_int_equal(trio_put(trio, 1, "before", large, LARGE_BYTES),
			 RFS_ERR_OK);
	trio_until(trio, is_large_everywhere);
	trio_set_members(trio, members);
	trio_until(trio, trio_all_applied);
	trio_stop(trio, 2);
	trio_stop(trio, 3);
	ev_timer_init(&patience.timer, on_turn, 0.02, 0.02);
	patience.timer.data = &patience;
	ev_timer_start(trio->loop, &patience.timer);
	assert_int_equal(trio_put(trio, 1, "f", large, LARGE_BYTES),
			 RFS_ERR_OK);
	ev_timer_stop(trio->loop, &patience.timer);
	assert_true(patience.turns > 15);
}

static void the_copies_of_learners_do_not_count(void **state)
{
	put_without_two_and_three(*state, "vvvll", "v--vv");
}

static void while_two_sets_rule_copies_of_the_new_one_are_not_enough(
	void **state)
{
	put_without_two_and_three(*state, "Bbbvv", "v--vv");
}

int main(void)
{
#define FIVE(name) cmocka_unit_test_setup_teardown(name, five, end)
	const struct CMUnitTest tests[] = {
		FIVE(who_leaves_is_hung_up_on_and_who_comes_is_dialled),
		FIVE(who_comes_gets_what_was_written_before),
		FIVE(who_comes_does_not_wait_for_what_nobody_has),
		FIVE(the_copies_of_learners_do_not_count),
		FIVE(while_two_sets_rule_copies_of_the_new_one_are_not_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
