/* Sessions: a retry gets the first answer, once; leases end by log time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "storaged/core/sessions.h"
#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static struct command mkdir_as(uint64_t seq, uint64_t acked_below,
			       const char *name)
{
	return (struct command){ .op = COMMAND_MKDIR,
				 .seq = seq,
				 .acked_below = acked_below,
				 .ino = ROOT,
				 .name = testfs_text(name),
				 .mode = 0755 };
}

static uint64_t open_session(struct testfs *fs, int64_t lease_ns)
{
	struct command open = { .op = COMMAND_OPEN_SESSION,
				.lease_ns = lease_ns,
				.node = 7,
				.name = testfs_text("a mount") };

	assert_int_equal(testfs_apply(fs, &open), RFS_ERR_OK);
	assert_int_equal(fs->result.value, fs->index);
	return fs->result.value;
}

static enum rfs_err session_op(struct testfs *fs, enum command_op op,
			       uint64_t session)
{
	struct command command = { .op = op, .session = session };

	return testfs_apply(fs, &command);
}

static enum rfs_err expire(struct testfs *fs, uint64_t target)
{
	struct command command = { .op = COMMAND_EXPIRE_SESSIONS,
				   .target = target };

	return testfs_apply(fs, &command);
}

static bool exists(struct testfs *fs, uint64_t session)
{
	struct kv kv = testfs_begin_read(fs);
	struct query_session answer;
	enum rfs_err err = query_session(&kv, session, &answer);

	testfs_end_read(fs);
	return err == RFS_ERR_OK;
}

static void a_retry_gets_the_first_answer_and_changes_nothing(void **state)
{
	struct testfs *fs = *state;
	struct command make = mkdir_as(1, 1, "d");
	struct store_result first;

	assert_int_equal(testfs_apply(fs, &make), RFS_ERR_OK);
	first = fs->result;
	fs->seq = 1;
	testfs_remove(fs, COMMAND_RMDIR, ROOT, "d");
	make = mkdir_as(1, 1, "d");
	assert_int_equal(testfs_apply(fs, &make), RFS_ERR_OK);
	assert_true(fs->result.duplicate);
	assert_int_equal(fs->result.raft_index, first.raft_index);
	assert_int_equal(fs->result.ts_ns, first.ts_ns);
	assert_memory_equal(&fs->result.attr, &first.attr,
			    sizeof(first.attr));
	assert_int_equal(fs->result.seq, 1);
	assert_int_equal(testfs_state(fs).inode_count, 1);
}

static void a_refusal_is_an_answer_too(void **state)
{
	struct testfs *fs = *state;
	struct command make = mkdir_as(1, 1, "d");
	struct command again = mkdir_as(2, 1, "d");

	testfs_apply(fs, &make);
	assert_int_equal(testfs_apply(fs, &again), RFS_ERR_EXIST);
	fs->seq = 2;
	testfs_remove(fs, COMMAND_RMDIR, ROOT, "d");
	assert_int_equal(testfs_apply(fs, &again), RFS_ERR_EXIST);
	assert_true(fs->result.duplicate);
}

static void a_retried_append_appends_once(void **state)
{
	struct testfs *fs = *state;
	struct command write = { .op = COMMAND_WRITE,
				 .flags = COMMAND_APPEND,
				 .data = testfs_text("line") };
	char text[16];

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &write.ino);
	testfs_sha256("line", 4, write.sha256);
	testfs_apply(fs, &write);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
		assert_true(fs->result.duplicate);
		assert_int_equal(fs->result.value, 0);
	}
	assert_int_equal(testfs_read(fs, write.ino, 0, text, 16), 4);
}

static void commands_may_arrive_out_of_order(void **state)
{
	struct testfs *fs = *state;
	struct command third = mkdir_as(3, 1, "c"), first = mkdir_as(1, 1, "a");

	assert_int_equal(testfs_apply(fs, &third), RFS_ERR_OK);
	assert_int_equal(testfs_apply(fs, &first), RFS_ERR_OK);
	assert_int_equal(testfs_apply(fs, &third), RFS_ERR_OK);
	assert_true(fs->result.duplicate);
}

static void an_unknown_session_may_do_nothing(void **state)
{
	struct testfs *fs = *state;
	struct command make = mkdir_as(1, 1, "d");

	make.session = 4711;
	assert_int_equal(testfs_apply(fs, &make), RFS_ERR_NO_SESSION);
	assert_int_equal(session_op(fs, COMMAND_RENEW_SESSION, 4711),
			 RFS_ERR_NO_SESSION);
	assert_int_equal(session_op(fs, COMMAND_CLOSE_SESSION, 4711),
			 RFS_ERR_NO_SESSION);
	assert_int_equal(expire(fs, 4711), RFS_ERR_NO_SESSION);
	assert_int_equal(testfs_state(fs).inode_count, 1);
}

static uint64_t answers_kept(struct testfs *fs)
{
	struct kv kv = testfs_begin_read(fs);
	struct bytes found, value;
	uint64_t count = 0;
	enum rfs_err err = kv_seek(&kv, testfs_text("x"), &found, &value);

	for (; !err && found.data[0] == 'x'; count++)
		err = kv_next(&kv, &found, &value);
	testfs_end_read(fs);
	return count;
}

static void acknowledged_answers_are_forgotten_but_never_run_again(void **state)
{
	struct testfs *fs = *state;
	struct command old = mkdir_as(5, 5, "d5");

	for (uint64_t seq = 1; seq <= 200; seq++) {
		char name[32];

		snprintf(name, sizeof(name), "d%d", (int)seq);
		struct command make = mkdir_as(seq, seq, name);

		assert_int_equal(testfs_apply(fs, &make), RFS_ERR_OK);
		assert_true(answers_kept(fs) <= SESSIONS_PRUNE);
	}
	fs->seq = 200;
	assert_int_equal(testfs_remove(fs, COMMAND_RMDIR, ROOT, "d5"),
			 RFS_ERR_OK);
	assert_int_equal(testfs_apply(fs, &old), RFS_ERR_STALE);
	struct inode attr;

	assert_int_equal(testfs_lookup(fs, ROOT, "d5", &attr), RFS_ERR_NOENT);
}

static void unacknowledged_answers_are_kept(void **state)
{
	struct testfs *fs = *state;

	for (uint64_t seq = 1; seq <= 100; seq++) {
		struct command make = mkdir_as(seq, 1, "d");

		testfs_apply(fs, &make);
	}
	for (uint64_t seq = 1; seq <= 100; seq++) {
		struct command make = mkdir_as(seq, 1, "d");

		assert_int_equal(testfs_apply(fs, &make),
				 seq == 1 ? RFS_ERR_OK : RFS_ERR_EXIST);
		assert_true(fs->result.duplicate);
	}
}

static void a_seq_too_far_ahead_is_refused_and_not_recorded(void **state)
{
	struct testfs *fs = *state;
	struct command far = mkdir_as(STORE_SESSION_WINDOW + 10, 1, "d");

	assert_int_equal(testfs_apply(fs, &far), RFS_ERR_FULL);
	far.acked_below = 20;
	assert_int_equal(testfs_apply(fs, &far), RFS_ERR_OK);
	assert_false(fs->result.duplicate);
}

static void leases_end_by_log_time_and_only_by_an_entry(void **state)
{
	struct testfs *fs = *state;
	uint64_t session = open_session(fs, 5000);
	struct command make = mkdir_as(1, 1, "d");
	struct command late = mkdir_as(2, 1, "e");

	fs->ts_ns += 1000000;
	make.session = late.session = session;
	assert_int_equal(testfs_apply(fs, &make), RFS_ERR_OK);
	assert_int_equal(expire(fs, session), RFS_ERR_BUSY);
	fs->ts_ns += 1000000;
	assert_true(exists(fs, session));
	assert_int_equal(expire(fs, session), RFS_ERR_OK);
	assert_false(exists(fs, session));
	assert_int_equal(testfs_apply(fs, &late), RFS_ERR_NO_SESSION);
}

static void a_sweep_ends_what_is_over_and_nothing_else(void **state)
{
	struct testfs *fs = *state;
	uint64_t short_ones[3], longer, renewed;

	for (int i = 0; i < 3; i++)
		short_ones[i] = open_session(fs, 5000);
	longer = open_session(fs, 5000000);
	renewed = open_session(fs, 50000);
	fs->ts_ns += 40000;
	assert_int_equal(session_op(fs, COMMAND_RENEW_SESSION, renewed),
			 RFS_ERR_OK);
	fs->ts_ns += 40000;
	assert_int_equal(expire(fs, 0), RFS_ERR_OK);
	assert_int_equal(fs->result.value, 3);
	for (int i = 0; i < 3; i++)
		assert_false(exists(fs, short_ones[i]));
	assert_true(exists(fs, longer));
	assert_true(exists(fs, renewed));
	assert_true(exists(fs, fs->session));
}

static void the_end_of_a_session_lets_go_of_all_it_held(void **state)
{
	struct testfs *fs = *state;
	uint64_t session = open_session(fs, 5000), ino;
	struct inode attr;

	for (uint64_t i = 1; i <= 3; i++) {
		struct command pin = { .op = COMMAND_OPEN,
				       .session = session,
				       .seq = i };

		testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
		testfs_write(fs, ino, 0, "x", 1);
		pin.ino = ino;
		assert_int_equal(testfs_apply(fs, &pin), RFS_ERR_OK);
		testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	}
	testfs_check(fs);
	assert_int_equal(testfs_state(fs).inode_count, 4);
	fs->ts_ns += 1000000;
	assert_int_equal(expire(fs, 0), RFS_ERR_OK);
	assert_int_equal(fs->freed_count, 3);
	assert_int_equal(testfs_state(fs).inode_count, 1);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_NOENT);
	assert_int_equal(session_op(fs, COMMAND_CLOSE_SESSION, fs->session),
			 RFS_ERR_OK);
	assert_int_equal(answers_kept(fs), 0);
	assert_int_equal(testfs_state(fs).session_count, 0);
}

static bool count_session(void *ctx, const struct query_session *session)
{
	int *count = ctx;

	if (session->node == 7) {
		assert_int_equal(session->label.bytes, 7);
		assert_memory_equal(session->label.data, "a mount", 7);
		assert_int_equal(session->lease_ns, 12345);
		assert_int_equal(session->opened_ts_ns, session->renewed_ts_ns);
	}
	(*count)++;
	return true;
}

static void sessions_can_be_listed(void **state)
{
	struct testfs *fs = *state;
	int count = 0;

	open_session(fs, 12345);
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_sessions(&kv, count_session, &count),
			 RFS_ERR_OK);
	testfs_end_read(fs);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_retry_gets_the_first_answer_and_changes_nothing),
		TEST(a_refusal_is_an_answer_too),
		TEST(a_retried_append_appends_once),
		TEST(commands_may_arrive_out_of_order),
		TEST(an_unknown_session_may_do_nothing),
		TEST(acknowledged_answers_are_forgotten_but_never_run_again),
		TEST(unacknowledged_answers_are_kept),
		TEST(a_seq_too_far_ahead_is_refused_and_not_recorded),
		TEST(leases_end_by_log_time_and_only_by_an_entry),
		TEST(a_sweep_ends_what_is_over_and_nothing_else),
		TEST(the_end_of_a_session_lets_go_of_all_it_held),
		TEST(sessions_can_be_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
