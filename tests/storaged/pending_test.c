/* Numbers for questions: never twice, whatever comes back when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "storaged/pending.h"

static int items[5000];

static void each_number_gives_its_item_once(void **state)
{
	struct pending pending = { 0 };
	uint64_t ids[5000];

	(void)state;
	for (int i = 0; i < 5000; i++)
		ids[i] = pending_add(&pending, &items[i]);
	for (int i = 4999; i >= 0; i--) {
		assert_ptr_equal(pending_take(&pending, ids[i]), &items[i]);
		assert_null(pending_take(&pending, ids[i]));
	}
	pending_fini(&pending);
}

static void one_that_never_comes_back_is_in_nobodys_way(void **state)
{
	struct pending pending = { 0 };
	uint64_t silent = pending_add(&pending, &items[0]);

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t id = pending_add(&pending, &items[1]);

		assert_int_not_equal(id, silent);
		assert_ptr_equal(pending_take(&pending, id), &items[1]);
	}
	assert_true(pending.slot_count <= 64);
	assert_ptr_equal(pending_take(&pending, silent), &items[0]);
	pending_fini(&pending);
}

static void unknown_numbers_give_nothing(void **state)
{
	struct pending pending = { 0 };

	(void)state;
	assert_null(pending_take(&pending, 0));
	assert_null(pending_take(&pending, 7));
	assert_null(pending_take_any(&pending));
	uint64_t id = pending_add(&pending, &items[0]);
	assert_null(pending_take(&pending, id + 64));
	assert_null(pending_take(&pending, 0));
	assert_ptr_equal(pending_take_any(&pending), &items[0]);
	assert_null(pending_take_any(&pending));
	pending_fini(&pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_gives_its_item_once),
		cmocka_unit_test(one_that_never_comes_back_is_in_nobodys_way),
		cmocka_unit_test(unknown_numbers_give_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
