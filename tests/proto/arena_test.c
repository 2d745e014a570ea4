/* Messages in arenas: whole, apart from one another, and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "local.pb-c.h"
#include "proto/arena.h"

#define ENTRIES 500

static size_t pack_committed(uint8_t **image)
{
	static DistributedFs__LogEntry entry[ENTRIES];
	static DistributedFs__LogEntry *entries[ENTRIES];
	static uint8_t data[ENTRIES];
	DistributedFs__LocalCommitted committed =
		DISTRIBUTED_FS__LOCAL_COMMITTED__INIT;

	for (uint32_t i = 0; i < ENTRIES; i++) {
		distributed_fs__log_entry__init(&entry[i]);
		entry[i].index = i + 1;
		entry[i].data.data = data;
		entry[i].data.len = i;
		data[i] = (uint8_t)i;
		entries[i] = &entry[i];
	}
	committed.n_entries = ENTRIES;
	committed.entries = entries;
	*image = malloc(
		distributed_fs__local_committed__get_packed_size(&committed));
	assert_non_null(*image);
	return distributed_fs__local_committed__pack(&committed, *image);
}

static void assert_whole(const DistributedFs__LocalCommitted *committed)
{
	assert_int_equal(committed->n_entries, ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		const DistributedFs__LogEntry *entry = committed->entries[i];

		assert_int_equal(entry->index, i + 1);
		assert_int_equal(entry->data.len, i);
		for (uint32_t at = 0; at < i; at++)
			assert_int_equal(entry->data.data[at], (uint8_t)at);
	}
}

static void a_message_of_many_pieces_is_whole(void **state)
{
	uint8_t *image;
	size_t bytes = pack_committed(&image);
	DistributedFs__LocalCommitted *first, *second;

	(void)state;
	first = arena_unpack(&distributed_fs__local_committed__descriptor,
			     image, bytes);
	second = arena_unpack(&distributed_fs__local_committed__descriptor,
			      image, bytes);
	memset(image, 0xee, bytes);
	free(image);
	assert_non_null(first);
	assert_non_null(second);
	assert_whole(first);
	assert_whole(second);
	arena_free(first);
	assert_whole(second);
	arena_free(second);
}

/* Pieces that are far larger than what came: none has a byte on the wire. */
static void many_empty_pieces_fit_too(void **state)
{
	uint8_t image[2 * 2000];
	DistributedFs__LocalCommitted *committed;

	(void)state;
	for (size_t i = 0; i < sizeof(image); i += 2) {
		image[i] = 1 << 3 | 2; /* field 1, entries: a message... */
		image[i + 1] = 0;      /* ...of no bytes */
	}
	committed = arena_unpack(&distributed_fs__local_committed__descriptor,
				 image, sizeof(image));
	assert_non_null(committed);
	assert_int_equal(committed->n_entries, sizeof(image) / 2);
	for (size_t i = 0; i < committed->n_entries; i++)
		assert_int_equal(committed->entries[i]->index, 0);
	arena_free(committed);
}

static void what_is_no_message_gives_none(void **state)
{
	const uint8_t nonsense[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *image;
	size_t bytes = pack_committed(&image);

	(void)state;
	assert_null(arena_unpack(&distributed_fs__local_committed__descriptor,
				 nonsense, sizeof(nonsense)));
	assert_null(arena_unpack(&distributed_fs__local_committed__descriptor,
				 image, bytes - 1));
	free(image);
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_of_many_pieces_is_whole),
		cmocka_unit_test(many_empty_pieces_fit_too),
		cmocka_unit_test(what_is_no_message_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
