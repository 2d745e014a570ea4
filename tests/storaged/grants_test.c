/* Grants: ids lent once, named once, and dead when their grant is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static uint64_t grant(struct testfs *fs, uint64_t count)
{
	struct command command = { .op = COMMAND_GRANT,
				   .node = 3,
				   .length = count };

	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	return fs->result.value;
}

static enum rfs_err expire(struct testfs *fs, uint64_t first)
{
	struct command command = { .op = COMMAND_EXPIRE_GRANT,
				   .target = first };

	return testfs_apply(fs, &command);
}

static enum query_chunk_state state_of(struct testfs *fs, uint64_t chunk)
{
	struct kv kv = testfs_begin_read(fs);
	struct query_chunk answer;

	assert_int_equal(query_chunk(&kv, chunk, &answer), RFS_ERR_OK);
	testfs_end_read(fs);
	return answer.state;
}

static bool add_grant(void *ctx, const struct query_grant *grant)
{
	struct query_grant *sum = ctx;

	sum->count += grant->count;
	sum->used += grant->used;
	sum->node = grant->node;
	return true;
}

static struct query_grant grants(struct testfs *fs)
{
	struct query_grant sum = { .count = 0 };
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_grants(&kv, add_grant, &sum), RFS_ERR_OK);
	testfs_end_read(fs);
	return sum;
}

static void every_id_is_lent_once(void **state)
{
	struct testfs *fs = *state;
	uint64_t first = grant(fs, 10), second = grant(fs, COMMAND_GRANT_MAX);

	assert_int_equal(second, first + 10);
	assert_int_equal(expire(fs, second), RFS_ERR_OK);
	assert_int_equal(grant(fs, 1), second + COMMAND_GRANT_MAX);
	assert_int_equal(state_of(fs, first - 1), QUERY_CHUNK_UNKNOWN);
	assert_int_equal(state_of(fs, first), QUERY_CHUNK_GRANTED);
	assert_int_equal(state_of(fs, first + 9), QUERY_CHUNK_GRANTED);
	assert_int_equal(state_of(fs, second), QUERY_CHUNK_UNKNOWN);
}

static void a_grant_counts_what_was_named_and_goes_with_the_last(void **state)
{
	struct testfs *fs = *state;
	struct command write = { .op = COMMAND_WRITE };

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &write.ino);
	for (uint32_t i = 0; i < 15; i++) {
		testfs_pieces(fs, &write, "abc", 3, 3);
		write.seq = 0;
		assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
		assert_int_equal(grants(fs).used, i + 1);
	}
	assert_int_equal(grants(fs).count, 16);
	testfs_pieces(fs, &write, "abc", 3, 3);
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_int_equal(grants(fs).count, 0);
	assert_int_equal(state_of(fs, write.pieces[0].chunk),
			 QUERY_CHUNK_USED);
}

static void after_expiry_a_late_write_is_refused(void **state)
{
	struct testfs *fs = *state;
	struct command write = { .op = COMMAND_WRITE };
	uint64_t first;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &write.ino);
	testfs_pieces(fs, &write, "abcdef", 6, 3);
	first = write.pieces[0].chunk;
	write.piece_count = 1;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_int_equal(expire(fs, first + 1), RFS_ERR_NOENT);
	assert_int_equal(expire(fs, first), RFS_ERR_OK);
	assert_int_equal(expire(fs, first), RFS_ERR_NOENT);
	/* What was named before stays; the rest is dead for ever. */
	assert_int_equal(state_of(fs, first), QUERY_CHUNK_USED);
	assert_int_equal(state_of(fs, first + 1), QUERY_CHUNK_UNKNOWN);
	write.pieces[0] = write.pieces[1];
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_BUSY);
	assert_false(testfs_holds(fs, first + 1));
}

static void what_was_stored_before_the_members_changed_is_stored_anew(
	void **state)
{
	struct testfs *fs = *state;
	struct command write = { .op = COMMAND_WRITE };

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &write.ino);
	testfs_pieces(fs, &write, "abcdef", 6, 3);
	const struct command_piece stale = write.pieces[1];

	write.piece_count = 1;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	testfs_change_members(fs);
	/* What a file has already may be shared; nothing else of before. */
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	write.pieces[0] = stale;
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_BUSY);
	/* The ids go on where they were, and the same seq may try again. */
	fs->grant_next = fs->grant_end;
	testfs_pieces(fs, &write, "def", 3, 3);
	assert_int_equal(write.pieces[0].chunk, stale.chunk + 15);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_id_is_lent_once),
		TEST(a_grant_counts_what_was_named_and_goes_with_the_last),
		TEST(after_expiry_a_late_write_is_refused),
		TEST(what_was_stored_before_the_members_changed_is_stored_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
