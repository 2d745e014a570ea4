/* Bounds-checked fields: what was written is read back, and no byte more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/bytes.h"

static void what_is_written_is_read_back(void **state)
{
	uint8_t image[31];
	struct writer w;
	struct reader r;

	(void)state;
	writer_init(&w, image, sizeof(image));
	writer_u8(&w, 0x12);
	writer_u16le(&w, 0x3456);
	writer_u32le(&w, 0x789abcde);
	writer_u64le(&w, 0x0123456789abcdef);
	writer_u32be(&w, 0x11223344);
	writer_u64be(&w, 0x5566778899aabbcc);
	writer_put(&w, "four", 4);
	assert_false(w.bad);
	assert_int_equal(writer_bytes(&w), sizeof(image));

	reader_init(&r, image, sizeof(image));
	assert_int_equal(reader_u8(&r), 0x12);
	assert_int_equal(reader_u16le(&r), 0x3456);
	assert_int_equal(reader_u32le(&r), 0x789abcde);
	assert_true(reader_u64le(&r) == 0x0123456789abcdef);
	assert_int_equal(reader_u32be(&r), 0x11223344);
	assert_true(reader_u64be(&r) == 0x5566778899aabbcc);
	assert_memory_equal(reader_take(&r, 4), "four", 4);
	assert_false(r.bad);
	assert_int_equal(reader_left(&r), 0);
}

static void byte_order_is_as_named(void **state)
{
	uint8_t image[8];
	struct writer w;

	(void)state;
	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, 0x01020304);
	writer_u32be(&w, 0x01020304);
	assert_memory_equal(image, "\4\3\2\1\1\2\3\4", 8);
}

static void a_reader_that_ran_out_stays_bad_and_gives_zeros(void **state)
{
	const uint8_t image[3] = { 0xff, 0xff, 0xff };
	struct reader r;

	(void)state;
	reader_init(&r, image, sizeof(image));
	assert_int_equal(reader_u32le(&r), 0);
	assert_true(r.bad);
	assert_int_equal(reader_u8(&r), 0); /* though three bytes are left */
	assert_null(reader_take(&r, 1));
	reader_init(&r, NULL, 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_true(r.bad);
}

static void a_huge_take_is_refused(void **state)
{
	const uint8_t image[4] = { 0 };
	struct reader r;

	(void)state;
	reader_init(&r, image, sizeof(image));
	assert_null(reader_take(&r, SIZE_MAX));
	assert_true(r.bad);
}

static void a_writer_that_ran_out_writes_nothing_beyond(void **state)
{
	uint8_t image[8];
	struct writer w;

	(void)state;
	memset(image, 0xee, sizeof(image));
	writer_init(&w, image, 4);
	writer_u16le(&w, 1);
	writer_u32le(&w, 2);
	assert_true(w.bad);
	writer_u8(&w, 3);
	assert_true(w.bad);
	for (int i = 4; i < 8; i++)
		assert_int_equal(image[i], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(byte_order_is_as_named),
		cmocka_unit_test(
			a_reader_that_ran_out_stays_bad_and_gives_zeros),
		cmocka_unit_test(a_huge_take_is_refused),
		cmocka_unit_test(a_writer_that_ran_out_writes_nothing_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
