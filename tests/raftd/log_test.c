/* The log in memory: what it holds, gives back, and forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "raftd/core/log.h"

static void append_text(struct log *log, uint64_t index, uint64_t term,
			const char *text)
{
	struct raft_entry entry = {
		.index = index,
		.term = term,
		.stamp = { term, (int64_t)index * 10 },
		.kind = RAFT_ENTRY_COMMAND,
		.data = text,
		.bytes = (uint32_t)strlen(text),
	};

	assert_int_equal(log_append(log, &entry, (int64_t)index * 100),
			 RFS_ERR_OK);
}

static struct log filled(uint64_t count)
{
	struct log log;

	assert_int_equal(log_setup(&log, 64, 4096), RFS_ERR_OK);
	for (uint64_t i = 1; i <= count; i++)
		append_text(&log, i, 1 + i / 4, "payload");
	return log;
}

static void an_empty_log_has_no_last_entry(void **state)
{
	struct log log = filled(0);
	(void)state;

	assert_int_equal(log_last_index(&log), 0);
	assert_int_equal(log_last_term(&log), 0);
	assert_int_equal(log_first_index(&log), 1);
	assert_null(log_at(&log, 0));
	assert_null(log_at(&log, 1));
	log_fini(&log);
}

static void payloads_are_copied(void **state)
{
	struct log log = filled(0);
	char text[] = "before";
	(void)state;

	append_text(&log, 1, 1, text);
	memcpy(text, "after!", 6);
	assert_memory_equal(log_at(&log, 1)->data, "before", 6);
	log_fini(&log);
}

static void a_run_of_entries_is_one_array(void **state)
{
	struct log log = filled(40);
	(void)state;

	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(log_at(&log, 1)[i].index, i + 1);
	log_fini(&log);
}

static void truncation_drops_the_end_and_frees_its_bytes(void **state)
{
	struct log log = filled(10);
	(void)state;

	log_truncate(&log, 6);
	assert_int_equal(log_last_index(&log), 5);
	assert_null(log_at(&log, 6));
	assert_int_equal(log_bytes_between(&log, 1, 6), 5 * 7);
	append_text(&log, 6, 9, "new");
	assert_int_equal(log_term_at(&log, 6), 9);
	log_truncate(&log, 100);
	assert_int_equal(log_last_index(&log), 6);
	log_fini(&log);
}

static void compaction_keeps_the_term_of_what_it_drops_last(void **state)
{
	struct log log = filled(10);
	(void)state;

	log_compact(&log, 7);
	assert_int_equal(log_first_index(&log), 8);
	assert_null(log_at(&log, 7));
	assert_int_equal(log_term_at(&log, 7), 1 + 7 / 4);
	assert_int_equal(log_stamp_at(&log, 7).ts_ns, 70);
	assert_int_equal(log_received_raw_ns(&log, 7), 700);
	assert_int_equal(log_term_at(&log, 6), 0);
	log_compact(&log, 3);
	assert_int_equal(log_first_index(&log), 8);
	log_compact(&log, 10);
	assert_int_equal(log_last_index(&log), 10);
	assert_int_equal(log_last_term(&log), 1 + 10 / 4);
	log_fini(&log);
}

static void a_reset_starts_after_the_snapshot(void **state)
{
	struct log log = filled(10);
	struct raft_snapshot_meta base = { 50, 7, { 7, 1234 } };
	(void)state;

	log_reset(&log, &base, 99);
	assert_int_equal(log_last_index(&log), 50);
	assert_int_equal(log_last_term(&log), 7);
	assert_int_equal(log_last_stamp(&log).ts_ns, 1234);
	assert_int_equal(log_received_raw_ns(&log, 50), 99);
	append_text(&log, 51, 7, "next");
	assert_memory_equal(log_at(&log, 51)->data, "next", 4);
	log_fini(&log);
}

static void commands_leave_room_for_the_first_entry_of_a_term(void **state)
{
	struct log log = filled(64);
	(void)state;

	assert_false(log_has_room(&log, 0));
	append_text(&log, 65, 99, "noop");
	log_compact(&log, 10);
	assert_true(log_has_room(&log, 7));
	log_fini(&log);
}

static void a_full_log_refuses_and_stays_as_it_was(void **state)
{
	struct log log = filled(0);
	struct raft_entry entry = { .term = 1 };
	uint64_t count = 64 + LOG_RESERVE_ENTRIES;
	(void)state;

	for (entry.index = 1; entry.index <= count; entry.index++)
		assert_int_equal(log_append(&log, &entry, 0), RFS_ERR_OK);
	assert_int_equal(log_append(&log, &entry, 0), RFS_ERR_FULL);
	assert_int_equal(log_last_index(&log), count);
	log_fini(&log);
}

static void a_payload_larger_than_the_memory_is_refused(void **state)
{
	struct log log = filled(0);
	uint32_t bytes = 4096 + LOG_RESERVE_BYTES + 1;
	char *data = calloc(1, bytes);
	struct raft_entry entry = {
		.index = 1, .term = 1, .data = data, .bytes = bytes
	};
	(void)state;

	assert_non_null(data);
	assert_false(log_has_room(&log, bytes));
	assert_int_equal(log_append(&log, &entry, 0), RFS_ERR_FULL);
	entry.bytes--;
	assert_int_equal(log_append(&log, &entry, 0), RFS_ERR_OK);
	free(data);
	log_fini(&log);
}

/* A log that lives long wraps its ring and slides its array many times. */
static void entries_survive_wrapping_and_sliding(void **state)
{
	struct log log = filled(0);
	char text[3000];
	(void)state;

	for (uint64_t i = 1; i <= 20000; i++) {
		size_t bytes = 1 + (i * 7919) % (sizeof(text) - 1);

		memset(text, 'a' + (int)(i % 26), bytes);
		text[bytes] = '\0';
		append_text(&log, i, 1 + i / 1000, text);
		if (i > 50)
			log_compact(&log, i - 50);
		if (i % 97 == 0) {
			log_truncate(&log, i);
			append_text(&log, i, 1 + i / 1000, text);
		}

		const struct raft_entry *old =
			log_at(&log, log_first_index(&log));
		const char *data = old->data;

		assert_int_equal(old->bytes,
				 1 + (old->index * 7919) % (sizeof(text) - 1));
		assert_int_equal(data[0], 'a' + (int)(old->index % 26));
		assert_int_equal(data[old->bytes - 1], data[0]);
	}
	log_fini(&log);
}

static void agreement_is_the_last_entry_of_that_term_or_older(void **state)
{
	struct log log = filled(10); /* terms 1 1 1 2 2 2 2 3 3 3 */
	(void)state;

	assert_int_equal(log_agreement(&log, 10, 2), 7);
	assert_int_equal(log_agreement(&log, 5, 2), 5);
	assert_int_equal(log_agreement(&log, 99, 9), 10);
	assert_int_equal(log_agreement(&log, 10, 0), 0);
	log_compact(&log, 4);
	assert_int_equal(log_agreement(&log, 10, 1), 4);
	log_fini(&log);
}

static void nothing_is_older_than_the_floor(void **state)
{
	struct log log = filled(3);
	(void)state;

	log.received_floor_raw_ns = 250;
	assert_int_equal(log_received_raw_ns(&log, 2), 250);
	assert_int_equal(log_received_raw_ns(&log, 3), 300);
	log_fini(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_log_has_no_last_entry),
		cmocka_unit_test(payloads_are_copied),
		cmocka_unit_test(a_run_of_entries_is_one_array),
		cmocka_unit_test(truncation_drops_the_end_and_frees_its_bytes),
		cmocka_unit_test(
			compaction_keeps_the_term_of_what_it_drops_last),
		cmocka_unit_test(a_reset_starts_after_the_snapshot),
		cmocka_unit_test(
			commands_leave_room_for_the_first_entry_of_a_term),
		cmocka_unit_test(a_full_log_refuses_and_stays_as_it_was),
		cmocka_unit_test(a_payload_larger_than_the_memory_is_refused),
		cmocka_unit_test(entries_survive_wrapping_and_sliding),
		cmocka_unit_test(
			agreement_is_the_last_entry_of_that_term_or_older),
		cmocka_unit_test(nothing_is_older_than_the_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
