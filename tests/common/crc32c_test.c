/* CRC32C against the published vectors of RFC 3720, B.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/crc32c.h"

static void published_vectors_hold(void **state)
{
	uint8_t block[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(block, 0, sizeof(block));
	assert_int_equal(crc32c(0, block, 32), 0x8a9136aa);
	memset(block, 0xff, sizeof(block));
	assert_int_equal(crc32c(0, block, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		block[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, block, 32), 0x46dd794e);
	assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void pieces_sum_to_the_whole(void **state)
{
	static const char text[] = "the quick brown fox jumps over the dog";
	uint32_t whole = crc32c(0, text, sizeof(text));

	(void)state;
	for (size_t cut = 0; cut <= sizeof(text); cut++)
		assert_int_equal(crc32c(crc32c(0, text, cut), text + cut,
					sizeof(text) - cut),
				 whole);
}

static void every_flipped_bit_is_seen(void **state)
{
	uint8_t block[64];
	uint32_t good;

	(void)state;
	memset(block, 0x5a, sizeof(block));
	good = crc32c(0, block, sizeof(block));
	for (int bit = 0; bit < 512; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(crc32c(0, block, sizeof(block)), good);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_hold),
		cmocka_unit_test(pieces_sum_to_the_whole),
		cmocka_unit_test(every_flipped_bit_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
