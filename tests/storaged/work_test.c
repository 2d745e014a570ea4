/* Workers: everything is run once, elsewhere, and told of here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "storaged/work.h"

#define ITEMS 500

struct item {
	struct work work; /* first: a work is its item */
	struct ev_loop *loop;
	pthread_t here;
	_Atomic int runs;
	int dones;
	bool elsewhere;
	struct work_pool *again; /* submit once more when done */
};

static int done_count;

static void run(struct work *work)
{
	struct item *item = (struct item *)work;

	item->elsewhere = !pthread_equal(pthread_self(), item->here);
	item->runs++;
}

static void done(struct work *work)
{
	struct item *item = (struct item *)work;

	assert_true(pthread_equal(pthread_self(), item->here));
	item->dones++;
	if (++done_count == ITEMS)
		ev_break(item->loop, EVBREAK_ALL);
	if (item->again) {
		struct work_pool *pool = item->again;

		item->again = NULL;
		work_submit(pool, &item->work);
	}
}

static struct item make_item(struct ev_loop *loop)
{
	return (struct item){ .work = { .run = run, .done = done },
			      .loop = loop,
			      .here = pthread_self() };
}

static void each_item_runs_once_on_another_thread(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct work_pool *pool = work_pool_new(loop, 3);
	static struct item items[ITEMS];

	(void)state;
	done_count = 0;
	for (int i = 0; i < ITEMS; i++) {
		items[i] = make_item(loop);
		work_submit(pool, &items[i].work);
	}
	ev_run(loop, 0);
	for (int i = 0; i < ITEMS; i++) {
		assert_int_equal(items[i].runs, 1);
		assert_int_equal(items[i].dones, 1);
		assert_true(items[i].elsewhere);
	}
	work_pool_free(pool);
	ev_loop_destroy(loop);
}

static void draining_finishes_what_waits_and_what_follows_from_it(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct work_pool *pool = work_pool_new(loop, 2);
	struct item items[20];

	(void)state;
	done_count = 0;
	for (int i = 0; i < 20; i++) {
		items[i] = make_item(loop);
		items[i].again = pool;
		work_submit(pool, &items[i].work);
	}
	work_pool_drain(pool);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(items[i].runs, 2);
		assert_int_equal(items[i].dones, 2);
	}
	work_pool_free(pool);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_runs_once_on_another_thread),
		cmocka_unit_test(
			draining_finishes_what_waits_and_what_follows_from_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
