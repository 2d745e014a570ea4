/* Blocks: as large as asked for, and kept within a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/block.h"

static void a_block_is_as_large_as_it_says_and_aligned(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < (size_t)1 << 25; bytes = bytes * 3 + 1) {
		size_t capacity;
		uint8_t *block = block_take(bytes, &capacity);

		assert_non_null(block);
		assert_true(capacity >= bytes);
		assert_int_equal(block_capacity(block), capacity);
		assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
		memset(block, 0xa5, capacity);
		block_give(block);
	}
	block_give(NULL);
}

#ifndef __SANITIZE_ADDRESS__
static void a_block_given_back_serves_the_next(void **state)
{
	size_t capacity, again_capacity;
	void *block = block_take(5000, &capacity);
	void *again;

	(void)state;
	block_give(block);
	again = block_take(capacity, &again_capacity);
	assert_ptr_equal(again, block);
	assert_int_equal(again_capacity, capacity);
	block_give(again);
}
#endif

static void two_that_are_taken_are_two(void **state)
{
	size_t capacity;
	void *one = block_take(100, &capacity);
	void *other = block_take(100, &capacity);

	(void)state;
	assert_non_null(one);
	assert_non_null(other);
	assert_ptr_not_equal(one, other);
	block_give(one);
	block_give(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_as_large_as_it_says_and_aligned),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(a_block_given_back_serves_the_next),
#endif
		cmocka_unit_test(two_that_are_taken_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
