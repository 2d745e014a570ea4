/* Raft's messages survive the wire, and nonsense does not reach the core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "raftd/convert.h"
#include "raftd/wal.h"

static struct convert_out out;
static struct raft_entry entries[RAFT_ENTRIES_MAX];

/* Through the bytes and back; the caller frees *parsed. */
static enum rfs_err round_trip(const struct raft_message *m,
			       DistributedFs__RaftMessage **parsed,
			       struct raft_message *got)
{
	static uint8_t wire[65536];
	size_t bytes;

	convert_message(m, &out);
	bytes = distributed_fs__raft_message__pack(&out.message, wire);
	assert_true(bytes <= sizeof(wire));
	*parsed = distributed_fs__raft_message__unpack(NULL, bytes, wire);
	assert_non_null(*parsed);
	return convert_parse(*parsed, m->from, m->to, entries, got);
}

static void a_vote_survives(void **state)
{
	const struct raft_message m = {
		.type = RAFT_MSG_VOTE,
		.from = 1,
		.to = 2,
		.term = 1ull << 60,
		.vote = { .pre = true,
			  .transfer = true,
			  .last_index = 77,
			  .last_term = 9 },
	};
	DistributedFs__RaftMessage *parsed;
	struct raft_message got;

	(void)state;
	assert_int_equal(round_trip(&m, &parsed, &got), RFS_ERR_OK);
	assert_memory_equal(&got, &m, sizeof(m));
	distributed_fs__raft_message__free_unpacked(parsed, NULL);
}

static void entries_survive(void **state)
{
	const struct raft_entry sent[2] = {
		{ .index = 11,
		  .term = 4,
		  .stamp = { 4, -5 },
		  .kind = RAFT_ENTRY_COMMAND,
		  .data = "hello",
		  .bytes = 5 },
		{ .index = 12, .term = 5, .stamp = { 5, INT64_MAX },
		  .kind = RAFT_ENTRY_EXTEND },
	};
	const struct raft_message m = {
		.type = RAFT_MSG_APPEND,
		.from = 3,
		.to = 1,
		.term = 5,
		.append = { .previous_index = 10,
			    .previous_term = 4,
			    .commit_index = 9,
			    .round = 1000,
			    .entries = sent,
			    .count = 2 },
	};
	DistributedFs__RaftMessage *parsed;
	struct raft_message got;

	(void)state;
	assert_int_equal(round_trip(&m, &parsed, &got), RFS_ERR_OK);
	assert_int_equal(got.append.previous_index, 10);
	assert_int_equal(got.append.round, 1000);
	assert_int_equal(got.append.count, 2);
	assert_int_equal(got.append.entries[0].stamp.ts_ns, -5);
	assert_memory_equal(got.append.entries[0].data, "hello", 5);
	assert_int_equal(got.append.entries[1].kind, RAFT_ENTRY_EXTEND);
	assert_int_equal(got.append.entries[1].stamp.ts_ns, INT64_MAX);
	assert_int_equal(got.append.entries[1].bytes, 0);
	distributed_fs__raft_message__free_unpacked(parsed, NULL);
}

static void the_other_kinds_survive(void **state)
{
	const struct raft_message all[] = {
		{ .type = RAFT_MSG_VOTE_REPLY, .from = 1, .to = 2, .term = 3,
		  .vote_reply = { .pre = true, .granted = true,
				  .supported_term = 2, .cold = true } },
		{ .type = RAFT_MSG_APPEND_REPLY, .from = 1, .to = 2, .term = 3,
		  .append_reply = { .accepted = true, .match_index = 4,
				    .hint_index = 5, .hint_term = 6,
				    .round = 7, .lost = true,
				    .lost_after = 3, .filling = true } },
		{ .type = RAFT_MSG_SNAPSHOT, .from = 1, .to = 2, .term = 3,
		  .snapshot = { .index = 4, .term = 2, .stamp = { 2, 99 } } },
		{ .type = RAFT_MSG_READ_INDEX, .from = 1, .to = 2, .term = 3,
		  .read_index = { .id = 8 } },
		{ .type = RAFT_MSG_READ_INDEX_REPLY, .from = 1, .to = 2,
		  .term = 3, .read_index_reply = { .id = 8,
						   .err = RFS_ERR_NOT_LEADER,
						   .index = 9 } },
		{ .type = RAFT_MSG_TIMEOUT_NOW, .from = 1, .to = 2, .term = 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		DistributedFs__RaftMessage *parsed;
		struct raft_message got;

		assert_int_equal(round_trip(&all[i], &parsed, &got),
				 RFS_ERR_OK);
		assert_memory_equal(&got, &all[i], sizeof(got));
		distributed_fs__raft_message__free_unpacked(parsed, NULL);
	}
}

static void nonsense_is_refused(void **state)
{
	DistributedFs__LogEntry entry = DISTRIBUTED_FS__LOG_ENTRY__INIT;
	DistributedFs__LogEntry *list[] = { &entry };
	DistributedFs__RaftMessage in = DISTRIBUTED_FS__RAFT_MESSAGE__INIT;
	struct raft_message got;

	(void)state;
	in.type = 99;
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
	in.type = RAFT_MSG_SNAPSHOT; /* of nothing */
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);

	in.type = RAFT_MSG_APPEND;
	in.term = 5;
	in.previous_index = 10;
	in.n_entries = 1;
	in.entries = list;
	entry.index = 11;
	entry.term = 5;
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got), RFS_ERR_OK);
	entry.index = 12; /* a gap */
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
	entry.index = 11;
	entry.term = 6; /* from the future */
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
	entry.term = 5;
	entry.kind = 7;
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
	entry.kind = 0;
	entry.data.len = WAL_BODY_BYTES_MAX + 1;
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
	in.n_entries = RAFT_ENTRIES_MAX + 1;
	assert_int_equal(convert_parse(&in, 1, 2, entries, &got),
			 RFS_ERR_INVALID);
}

static void the_size_of_an_entry_is_not_underestimated(void **state)
{
	const struct raft_entry entry = { .index = UINT64_MAX,
					  .term = UINT64_MAX,
					  .stamp = { UINT64_MAX, -1 },
					  .kind = RAFT_ENTRY_EXTEND,
					  .data = "12345",
					  .bytes = 5 };
	DistributedFs__LogEntry wire;

	(void)state;
	convert_entry(&entry, &wire);
	/* And its own tag and length inside the message. */
	assert_true(distributed_fs__log_entry__get_packed_size(&wire) + 6 <=
		    convert_entry_bytes(&entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vote_survives),
		cmocka_unit_test(entries_survive),
		cmocka_unit_test(the_other_kinds_survive),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_size_of_an_entry_is_not_underestimated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
