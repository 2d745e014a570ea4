/* Attributes of inodes: what a change sets, and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static uint64_t make_file(struct testfs *fs, uint32_t mode)
{
	uint64_t ino = 0;

	assert_int_equal(testfs_make(fs, COMMAND_CREATE, ROOT, "f", mode, &ino),
			 RFS_ERR_OK);
	return ino;
}

static struct command set(uint64_t ino, uint32_t mask)
{
	return (struct command){ .op = COMMAND_SETATTR,
				 .ino = ino,
				 .set_mask = mask };
}

static void only_what_the_mask_names_is_set(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	struct command command = set(ino, COMMAND_SET_MODE | COMMAND_SET_ATIME);
	struct inode before, after;

	testfs_getattr(fs, ino, &before);
	command.mode = 0120600; /* the type is not changed by this */
	command.atime_ns = 12;
	command.uid = 99;
	command.mtime_ns = 13;
	command.size_bytes = 14;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	after = fs->result.attr;
	assert_int_equal(after.mode, INODE_TYPE_REGULAR | 0600);
	assert_int_equal(after.atime_ns, 12);
	assert_int_equal(after.uid, before.uid);
	assert_int_equal(after.mtime_ns, before.mtime_ns);
	assert_int_equal(after.size_bytes, before.size_bytes);
	assert_int_equal(after.ctime_ns, fs->ts_ns);
	assert_int_equal(after.version, fs->index);
}

static void now_is_the_time_of_the_entry(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	struct command command =
		set(ino, COMMAND_SET_ATIME_NOW | COMMAND_SET_MTIME_NOW);

	command.atime_ns = command.mtime_ns = 1;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.atime_ns, fs->ts_ns);
	assert_int_equal(fs->result.attr.mtime_ns, fs->ts_ns);
}

static void an_empty_mask_changes_nothing(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	struct command command = set(ino, 0);
	struct inode before;

	testfs_getattr(fs, ino, &before);
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_memory_equal(&fs->result.attr, &before, sizeof(before));
	assert_int_equal(fs->changed_count, 0);
	command = set(4711, 0);
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_NOENT);
}

static void a_new_owner_drops_set_uid_and_set_gid(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 06755);
	struct command command = set(ino, COMMAND_SET_UID | COMMAND_SET_GID);

	command.uid = 5;
	command.gid = 6;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 0755);
	assert_int_equal(fs->result.attr.uid, 5);
	assert_int_equal(fs->result.attr.gid, 6);
	command = set(ino, COMMAND_SET_UID | COMMAND_SET_MODE);
	command.mode = 04711;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 04711);
}

static void writing_drops_privileges_when_asked(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 06755);
	struct command write = { .op = COMMAND_WRITE,
				 .ino = ino,
				 .data = testfs_text("x") };

	testfs_sha256("x", 1, write.sha256);
	testfs_apply(fs, &write);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 06755);
	write.seq = 0;
	write.flags = COMMAND_KILLPRIV;
	testfs_apply(fs, &write);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 0755);
}

static void set_gid_without_group_execute_stays(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 06744);
	struct command command = set(ino, COMMAND_SET_SIZE);

	command.flags = COMMAND_KILLPRIV;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 02744);
}

static void truncating_to_the_same_size_still_stamps(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	struct command command = set(ino, COMMAND_SET_SIZE | COMMAND_SET_MTIME);

	testfs_truncate(fs, ino, 0);
	assert_int_equal(fs->result.attr.mtime_ns, fs->ts_ns);
	assert_int_equal(fs->result.attr.ctime_ns, fs->ts_ns);
	command.mtime_ns = 44;
	command.size_bytes = 10;
	testfs_apply(fs, &command);
	assert_int_equal(fs->result.attr.mtime_ns, 44);
	assert_int_equal(fs->result.attr.size_bytes, 10);
}

static void writing_nothing_changes_nothing(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	struct inode before;

	testfs_getattr(fs, ino, &before);
	assert_int_equal(testfs_write(fs, ino, 100, "", 0), RFS_ERR_OK);
	assert_memory_equal(&fs->result.attr, &before, sizeof(before));
}

static void times_of_entries_rise_so_ctimes_do(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, 0644);
	int64_t last = 0;

	for (int i = 0; i < 10; i++) {
		testfs_append(fs, ino, "x", 1);
		assert_true(fs->result.attr.ctime_ns > last);
		last = fs->result.attr.ctime_ns;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_the_mask_names_is_set),
		TEST(now_is_the_time_of_the_entry),
		TEST(an_empty_mask_changes_nothing),
		TEST(a_new_owner_drops_set_uid_and_set_gid),
		TEST(writing_drops_privileges_when_asked),
		TEST(set_gid_without_group_execute_stays),
		TEST(truncating_to_the_same_size_still_stamps),
		TEST(writing_nothing_changes_nothing),
		TEST(times_of_entries_rise_so_ctimes_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
