/* Death notices: read back, bound to their key, bytes fixed for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/death.h"

static struct node_key key;
static const struct death death = {
	.node = 0x01020304,
	.digest = { 1, 2, 3, 4, 5, 6, 7, 8 },
	.incarnation = 0x1112131415161718,
	.term_led = 0x2122232425262728,
	.wall_ns = -2,
};

static int set_up(void **state)
{
	(void)state;
	return keys_generate(&key) == RFS_ERR_OK ? 0 : -1;
}

static void what_is_told_is_heard(void **state)
{
	uint8_t image[DEATH_BYTES];
	struct death got;
	uint32_t node;

	(void)state;
	death_encode(&death, &key, image);
	assert_int_equal(death_peek(image, sizeof(image), &node), RFS_ERR_OK);
	assert_int_equal(node, death.node);
	assert_int_equal(
		death_decode(image, sizeof(image), key.public_key, &got),
		RFS_ERR_OK);
	assert_int_equal(got.node, death.node);
	assert_memory_equal(got.digest, death.digest, DEATH_DIGEST_BYTES);
	assert_true(got.incarnation == death.incarnation);
	assert_true(got.term_led == death.term_led);
	assert_true(got.wall_ns == death.wall_ns);
}

static void the_layout_is_as_drawn(void **state)
{
	static const uint8_t want[40] = "RFSX\4\3\2\1\1\2\3\4\5\6\7\10"
					"\x18\x17\x16\x15\x14\x13\x12\x11"
					"\x28\x27\x26\x25\x24\x23\x22\x21"
					"\xfe\xff\xff\xff\xff\xff\xff\xff";
	uint8_t image[DEATH_BYTES];

	(void)state;
	death_encode(&death, &key, image);
	assert_int_equal(sizeof(image), 104);
	assert_memory_equal(image, want, sizeof(want));
}

static void every_flipped_bit_is_refused(void **state)
{
	uint8_t image[DEATH_BYTES];
	struct death got = { .node = 77 };

	(void)state;
	death_encode(&death, &key, image);
	for (size_t bit = 0; bit < 8 * sizeof(image); bit++) {
		enum rfs_err err;

		image[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = death_decode(image, sizeof(image), key.public_key, &got);
		assert_int_equal(err,
				 bit < 32 ? RFS_ERR_INVALID : RFS_ERR_DENIED);
		image[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(got.node, 77);
}

static void another_length_or_key_is_refused(void **state)
{
	uint8_t image[DEATH_BYTES + 1] = { 0 };
	struct node_key other;
	struct death got;
	uint32_t node;

	(void)state;
	assert_int_equal(keys_generate(&other), RFS_ERR_OK);
	death_encode(&death, &key, image);
	assert_int_equal(
		death_decode(image, DEATH_BYTES, other.public_key, &got),
		RFS_ERR_DENIED);
	assert_int_equal(
		death_decode(image, DEATH_BYTES + 1, key.public_key, &got),
		RFS_ERR_INVALID);
	for (size_t bytes = 0; bytes < DEATH_BYTES; bytes++)
		assert_int_equal(death_peek(image, bytes, &node),
				 RFS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_is_heard),
		cmocka_unit_test(the_layout_is_as_drawn),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(another_length_or_key_is_refused),
	};

	keys_init();
	return cmocka_run_group_tests(tests, set_up, NULL);
}
