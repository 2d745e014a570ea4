/* The pool: every task once, also those that tasks add. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "client/cli/pool.h"

struct tree_task {
	struct pool_task task;
	int depth;
};

struct forest {
	struct pool *pool;
	_Atomic int ran;
	_Atomic int ticks;
};

static void add(struct forest *forest, int depth)
{
	struct tree_task *task = malloc(sizeof(*task));

	task->depth = depth;
	pool_add(forest->pool, &task->task);
}

static void grow(void *ctx, struct pool_task *pool_task)
{
	struct tree_task *task = (struct tree_task *)pool_task;
	struct forest *forest = ctx;

	forest->ran++;
	for (int i = 0; i < 3 && task->depth > 0; i++)
		add(forest, task->depth - 1);
	free(task);
}

static void tick(void *ctx)
{
	struct forest *forest = ctx;

	forest->ticks++;
}

static void tasks_added_by_tasks_all_run_before_drain_returns(void **state)
{
	(void)state;
	struct forest forest = {.ran = 0};

	forest.pool = pool_new(8, grow, &forest);
	assert_non_null(forest.pool);
	for (int round = 1; round <= 20; round++) {
		add(&forest, 5);
		pool_drain(forest.pool, tick);
		/* 1 + 3 + 9 + 27 + 81 + 243 */
		assert_int_equal(forest.ran, round * 364);
	}
	pool_free(forest.pool);
}

static void an_idle_pool_drains_at_once(void **state)
{
	(void)state;
	struct forest forest = {.ran = 0};

	forest.pool = pool_new(2, grow, &forest);
	pool_drain(forest.pool, tick);
	assert_int_equal(forest.ticks, 0);
	pool_free(forest.pool);
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			tasks_added_by_tasks_all_run_before_drain_returns),
		cmocka_unit_test(an_idle_pool_drains_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
