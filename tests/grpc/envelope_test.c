/* gRPC's length-prefixed messages, whole and in pieces, and all that is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/grpc/envelope.h"

static enum envelope_fault add(struct envelope *envelope, const char *data,
			       size_t bytes)
{
	return envelope_add(envelope, (const uint8_t *)data, bytes);
}

static void a_message_comes_whole(void **state)
{
	struct envelope envelope;
	const uint8_t *body;
	size_t bytes;

	(void)state;
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\0\0\0\0\3abc", 8), ENVELOPE_FINE);
	assert_int_equal(envelope_end(&envelope, &body, &bytes), ENVELOPE_FINE);
	assert_int_equal(bytes, 3);
	assert_memory_equal(body, "abc", 3);
}

static void it_may_come_in_any_pieces(void **state)
{
	static const char wire[] = "\0\0\0\0\5hello";
	const size_t whole = sizeof(wire) - 1;

	(void)state;
	for (size_t cut = 0; cut <= whole; cut++) {
		struct envelope envelope;
		const uint8_t *body;
		size_t bytes;

		envelope_init(&envelope);
		assert_int_equal(add(&envelope, wire, cut), ENVELOPE_FINE);
		assert_int_equal(envelope_end(&envelope, &body, &bytes),
				 cut == whole ? ENVELOPE_FINE : ENVELOPE_CUT);
		for (size_t i = cut; i < whole; i++)
			assert_int_equal(add(&envelope, wire + i, 1),
					 ENVELOPE_FINE);
		assert_int_equal(envelope_end(&envelope, &body, &bytes),
				 ENVELOPE_FINE);
		assert_int_equal(bytes, 5);
		assert_memory_equal(body, "hello", 5);
	}
}

static void an_empty_message_is_one(void **state)
{
	struct envelope envelope;
	const uint8_t *body;
	size_t bytes = 1;

	(void)state;
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\0\0\0\0\0", 5), ENVELOPE_FINE);
	assert_int_equal(envelope_end(&envelope, &body, &bytes), ENVELOPE_FINE);
	assert_int_equal(bytes, 0);
}

static void no_message_is_none(void **state)
{
	struct envelope envelope;
	const uint8_t *body;
	size_t bytes;

	(void)state;
	envelope_init(&envelope);
	assert_int_equal(envelope_end(&envelope, &body, &bytes), ENVELOPE_CUT);
}

static void the_largest_fits_and_one_more_does_not(void **state)
{
	static uint8_t image[ENVELOPE_HEAD_BYTES + ENVELOPE_BODY_BYTES_MAX];
	struct envelope envelope;
	const uint8_t *body;
	size_t bytes;

	(void)state;
	envelope_head(ENVELOPE_BODY_BYTES_MAX, image);
	envelope_init(&envelope);
	assert_int_equal(envelope_add(&envelope, image, sizeof(image)),
			 ENVELOPE_FINE);
	assert_int_equal(envelope_end(&envelope, &body, &bytes), ENVELOPE_FINE);
	assert_int_equal(bytes, ENVELOPE_BODY_BYTES_MAX);
	/* Refused by what it claims, before any of it is here. */
	envelope_head(ENVELOPE_BODY_BYTES_MAX + 1, image);
	envelope_init(&envelope);
	assert_int_equal(envelope_add(&envelope, image, ENVELOPE_HEAD_BYTES),
			 ENVELOPE_TOO_LARGE);
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\0\xff\xff\xff\xff", 5),
			 ENVELOPE_TOO_LARGE);
}

static void a_second_message_is_refused(void **state)
{
	struct envelope envelope;

	(void)state;
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\0\0\0\0\1a\0", 7), ENVELOPE_SECOND);
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\0\0\0\0\1a", 6), ENVELOPE_FINE);
	assert_int_equal(add(&envelope, "", 0), ENVELOPE_FINE);
	assert_int_equal(add(&envelope, "\0", 1), ENVELOPE_SECOND);
}

static void the_flag_says_compressed_or_nonsense(void **state)
{
	struct envelope envelope;

	(void)state;
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\1\0\0\0\1a", 6), ENVELOPE_COMPRESSED);
	envelope_init(&envelope);
	assert_int_equal(add(&envelope, "\2\0\0\0\1a", 6), ENVELOPE_BAD_FLAG);
}

static void a_head_is_big_endian(void **state)
{
	uint8_t head[ENVELOPE_HEAD_BYTES];

	(void)state;
	envelope_head(0x010203, head);
	assert_memory_equal(head, "\0\0\1\2\3", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_whole),
		cmocka_unit_test(it_may_come_in_any_pieces),
		cmocka_unit_test(an_empty_message_is_one),
		cmocka_unit_test(no_message_is_none),
		cmocka_unit_test(the_largest_fits_and_one_more_does_not),
		cmocka_unit_test(a_second_message_is_refused),
		cmocka_unit_test(the_flag_says_compressed_or_nonsense),
		cmocka_unit_test(a_head_is_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
