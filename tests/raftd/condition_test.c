/* What a node says of itself, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/condition.h"
#include "raftd/core/raft.h"

#define SEC NS_PER_SEC

static const struct condition_facts well = { .served = true,
					     .commit_index = 9,
					     .applied_index = 9 };

/* Well until `until`, with a look every 250 ms. */
static struct condition well_until(int64_t until_ns)
{
	struct condition condition;

	condition_init(&condition, SEC);
	for (int64_t now_ns = SEC; now_ns <= until_ns; now_ns += SEC / 4)
		assert_int_equal(condition_note(&condition, &well, now_ns), 0);
	return condition;
}

static void a_node_that_is_well_says_nothing(void **state)
{
	(void)state;
	well_until(20 * SEC);
}

static void a_full_disk_is_said_at_once(void **state)
{
	struct condition condition = well_until(5 * SEC);
	struct condition_facts full = well;

	(void)state;
	full.disk_full = true;
	assert_int_equal(condition_note(&condition, &full, 5 * SEC),
			 RAFT_UNFIT_DISK_FULL);
	assert_int_equal(condition_note(&condition, &well, 6 * SEC), 0);
}

static void a_restart_of_storaged_is_forgiven(void **state)
{
	struct condition condition = well_until(5 * SEC);
	struct condition_facts gone = { .commit_index = 9 };

	(void)state;
	assert_int_equal(condition_note(&condition, &gone, 5 * SEC), 0);
	assert_int_equal(condition_note(&condition, &gone, 5 * SEC + SEC / 2),
			 0);
	assert_int_equal(condition_note(&condition, &well, 6 * SEC), 0);
	assert_int_equal(condition_note(&condition, &gone, 7 * SEC), 0);
	assert_int_equal(condition_note(&condition, &gone, 8 * SEC),
			 RAFT_UNFIT_UNSERVED);
}

static void silence_after_a_question_is_a_hang(void **state)
{
	struct condition condition = well_until(5 * SEC);
	struct condition_facts asked = well;

	(void)state;
	asked.asked_raw_ns = 5 * SEC;
	assert_int_equal(condition_note(&condition, &asked, 5 * SEC + SEC / 4),
			 0);
	assert_int_equal(condition_note(&condition, &asked, 5 * SEC + SEC / 2),
			 RAFT_UNFIT_HUNG);
	assert_int_equal(condition_note(&condition, &well, 6 * SEC), 0);
}

static void one_that_answers_and_applies_nothing_is_stuck(void **state)
{
	struct condition condition = well_until(5 * SEC);
	struct condition_facts stuck = well;

	(void)state;
	stuck.commit_index = 20;
	assert_int_equal(condition_note(&condition, &stuck, 5 * SEC + SEC / 2),
			 0);
	/* Slow, but it gets on. */
	stuck.applied_index = 10;
	assert_int_equal(condition_note(&condition, &stuck, 6 * SEC), 0);
	assert_int_equal(condition_note(&condition, &stuck, 7 * SEC - 1), 0);
	assert_int_equal(condition_note(&condition, &stuck, 7 * SEC),
			 RAFT_UNFIT_HUNG);
	stuck.applied_index = 20;
	assert_int_equal(condition_note(&condition, &stuck, 8 * SEC), 0);
	/* Nothing to do for long is no hang. */
	assert_int_equal(condition_note(&condition, &stuck, 80 * SEC), 0);
	stuck.commit_index = 21;
	assert_int_equal(condition_note(&condition, &stuck, 80 * SEC + 1), 0);
}

static void a_restore_is_not_a_hang(void **state)
{
	struct condition condition = well_until(5 * SEC);
	struct condition_facts restoring = { .commit_index = 100,
					     .applied_index = 9,
					     .asked_raw_ns = 5 * SEC };

	(void)state;
	assert_int_equal(condition_note(&condition, &restoring, 8 * SEC), 0);
	assert_int_equal(condition_note(&condition, &restoring, 9 * SEC),
			 RAFT_UNFIT_UNSERVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_is_well_says_nothing),
		cmocka_unit_test(a_full_disk_is_said_at_once),
		cmocka_unit_test(a_restart_of_storaged_is_forgiven),
		cmocka_unit_test(silence_after_a_question_is_a_hang),
		cmocka_unit_test(one_that_answers_and_applies_nothing_is_stuck),
		cmocka_unit_test(a_restore_is_not_a_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
