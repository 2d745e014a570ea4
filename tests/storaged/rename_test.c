/* Rename: the rules of POSIX, and the two flags of Linux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static uint64_t make_dir(struct testfs *fs, uint64_t parent, const char *name)
{
	uint64_t ino = 0;

	assert_int_equal(testfs_make(fs, COMMAND_MKDIR, parent, name, 0755,
				     &ino),
			 RFS_ERR_OK);
	return ino;
}

static uint64_t make_file(struct testfs *fs, uint64_t parent, const char *name)
{
	uint64_t ino = 0;

	assert_int_equal(testfs_make(fs, COMMAND_CREATE, parent, name, 0644,
				     &ino),
			 RFS_ERR_OK);
	return ino;
}

static uint64_t ino_of(struct testfs *fs, uint64_t parent, const char *name)
{
	struct inode attr;

	return testfs_lookup(fs, parent, name, &attr) ? 0 : attr.ino;
}

static uint32_t nlink_of(struct testfs *fs, uint64_t ino)
{
	struct inode attr;

	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	return attr.nlink;
}

static void a_name_moves_within_its_directory(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, ROOT, "a");
	struct inode root;

	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b", 0),
			 RFS_ERR_OK);
	assert_int_equal(fs->result.attr.ino, ino);
	assert_int_equal(fs->result.attr.ctime_ns, fs->ts_ns);
	assert_int_equal(ino_of(fs, ROOT, "a"), 0);
	assert_int_equal(ino_of(fs, ROOT, "b"), ino);
	testfs_getattr(fs, ROOT, &root);
	assert_int_equal(root.size_bytes, 1);
	assert_int_equal(root.mtime_ns, fs->ts_ns);
}

static void a_directory_moves_with_its_dot_dot(void **state)
{
	struct testfs *fs = *state;
	uint64_t a = make_dir(fs, ROOT, "a"), b = make_dir(fs, ROOT, "b");
	uint64_t moved = make_dir(fs, a, "x");

	assert_int_equal(testfs_rename(fs, a, "x", b, "y", 0), RFS_ERR_OK);
	assert_int_equal(ino_of(fs, b, "y"), moved);
	assert_int_equal(ino_of(fs, moved, ".."), b);
	assert_int_equal(nlink_of(fs, a), 2);
	assert_int_equal(nlink_of(fs, b), 3);
}

static void a_file_replaces_a_file(void **state)
{
	struct testfs *fs = *state;
	uint64_t a = make_file(fs, ROOT, "a"), b = make_file(fs, ROOT, "b");
	struct inode attr;

	testfs_write(fs, b, 0, "old", 3);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b", 0),
			 RFS_ERR_OK);
	assert_int_equal(ino_of(fs, ROOT, "b"), a);
	assert_int_equal(testfs_getattr(fs, b, &attr), RFS_ERR_NOENT);
	assert_int_equal(fs->freed_count, 1);
}

static void a_replaced_file_that_is_open_or_linked_lives_on(void **state)
{
	struct testfs *fs = *state;
	uint64_t b = make_file(fs, ROOT, "b"), c = make_file(fs, ROOT, "c");

	make_file(fs, ROOT, "a");
	testfs_open(fs, b);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b", 0),
			 RFS_ERR_OK);
	assert_int_equal(nlink_of(fs, b), 0);
	testfs_link(fs, ROOT, "c2", c);
	assert_int_equal(testfs_rename(fs, ROOT, "b", ROOT, "c", 0),
			 RFS_ERR_OK);
	assert_int_equal(nlink_of(fs, c), 1);
}

static void an_empty_directory_can_be_replaced_by_a_directory(void **state)
{
	struct testfs *fs = *state;
	uint64_t a = make_dir(fs, ROOT, "a"), b = make_dir(fs, ROOT, "b");
	uint64_t under = make_dir(fs, a, "under");

	assert_int_equal(testfs_rename(fs, ROOT, "b", ROOT, "a", 0),
			 RFS_ERR_NOTEMPTY);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b", 0),
			 RFS_ERR_OK);
	assert_int_equal(nlink_of(fs, ROOT), 3);
	assert_int_equal(testfs_rename(fs, a, "under", ROOT, "b", 0),
			 RFS_ERR_NOTEMPTY);
	b = make_dir(fs, ROOT, "c");
	assert_int_equal(testfs_rename(fs, a, "under", ROOT, "c", 0),
			 RFS_ERR_OK);
	assert_int_equal(ino_of(fs, ROOT, "c"), under);
	assert_int_not_equal(under, b);
	assert_int_equal(nlink_of(fs, ROOT), 4);
	assert_int_equal(nlink_of(fs, a), 2);
}

static void kinds_do_not_replace_each_other(void **state)
{
	struct testfs *fs = *state;

	make_dir(fs, ROOT, "d");
	make_file(fs, ROOT, "f");
	assert_int_equal(testfs_rename(fs, ROOT, "d", ROOT, "f", 0),
			 RFS_ERR_NOTDIR);
	assert_int_equal(testfs_rename(fs, ROOT, "f", ROOT, "d", 0),
			 RFS_ERR_ISDIR);
	assert_int_equal(testfs_rename(fs, ROOT, "none", ROOT, "d", 0),
			 RFS_ERR_NOENT);
}

static void no_directory_goes_below_itself(void **state)
{
	struct testfs *fs = *state;
	uint64_t a = make_dir(fs, ROOT, "a"), b = make_dir(fs, a, "b");
	uint64_t c = make_dir(fs, b, "c");

	assert_int_equal(testfs_rename(fs, ROOT, "a", a, "x", 0),
			 RFS_ERR_INVALID);
	assert_int_equal(testfs_rename(fs, ROOT, "a", c, "x", 0),
			 RFS_ERR_INVALID);
	assert_int_equal(testfs_rename(fs, ROOT, "a", a, "b", COMMAND_EXCHANGE),
			 RFS_ERR_INVALID);
	assert_int_equal(testfs_rename(fs, b, "c", ROOT, "a", COMMAND_EXCHANGE),
			 RFS_ERR_INVALID);
	assert_int_equal(testfs_rename(fs, b, "c", ROOT, "c", 0), RFS_ERR_OK);
	assert_int_equal(testfs_rename(fs, ROOT, "a", c, "a", 0), RFS_ERR_OK);
	assert_int_equal(ino_of(fs, c, "a"), a);
}

static void to_itself_or_to_its_other_link_does_nothing(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, ROOT, "a");
	uint64_t dir = make_dir(fs, ROOT, "d");
	struct inode before, after;

	testfs_link(fs, ROOT, "b", ino);
	testfs_getattr(fs, ino, &before);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "a", 0),
			 RFS_ERR_OK);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b", 0),
			 RFS_ERR_OK);
	assert_int_equal(testfs_rename(fs, ROOT, "d", ROOT, "d", 0),
			 RFS_ERR_OK);
	testfs_getattr(fs, ino, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(ino_of(fs, ROOT, "a"), ino);
	assert_int_equal(ino_of(fs, ROOT, "b"), ino);
	assert_int_equal(ino_of(fs, ROOT, "d"), dir);
}

static void noreplace_replaces_nothing(void **state)
{
	struct testfs *fs = *state;
	uint64_t a = make_file(fs, ROOT, "a");

	make_file(fs, ROOT, "b");
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "b",
				       COMMAND_NOREPLACE),
			 RFS_ERR_EXIST);
	assert_int_equal(testfs_rename(fs, ROOT, "a", ROOT, "c",
				       COMMAND_NOREPLACE),
			 RFS_ERR_OK);
	assert_int_equal(ino_of(fs, ROOT, "c"), a);
}

static void exchange_swaps_a_file_with_a_full_directory(void **state)
{
	struct testfs *fs = *state;
	uint64_t p = make_dir(fs, ROOT, "p"), q = make_dir(fs, ROOT, "q");
	uint64_t dir = make_dir(fs, p, "x"), file = make_file(fs, q, "y");

	make_file(fs, dir, "inside");
	assert_int_equal(testfs_rename(fs, p, "x", q, "none", COMMAND_EXCHANGE),
			 RFS_ERR_NOENT);
	assert_int_equal(testfs_rename(fs, p, "x", q, "y", COMMAND_EXCHANGE),
			 RFS_ERR_OK);
	assert_int_equal(ino_of(fs, p, "x"), file);
	assert_int_equal(ino_of(fs, q, "y"), dir);
	assert_int_equal(ino_of(fs, dir, ".."), q);
	assert_int_equal(nlink_of(fs, p), 2);
	assert_int_equal(nlink_of(fs, q), 3);
	assert_int_equal(fs->changed_count, 4);
	testfs_check(fs);
	assert_int_equal(testfs_rename(fs, p, "x", q, "y", COMMAND_EXCHANGE),
			 RFS_ERR_OK);
	assert_int_equal(ino_of(fs, p, "x"), dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_moves_within_its_directory),
		TEST(a_directory_moves_with_its_dot_dot),
		TEST(a_file_replaces_a_file),
		TEST(a_replaced_file_that_is_open_or_linked_lives_on),
		TEST(an_empty_directory_can_be_replaced_by_a_directory),
		TEST(kinds_do_not_replace_each_other),
		TEST(no_directory_goes_below_itself),
		TEST(to_itself_or_to_its_other_link_does_nothing),
		TEST(noreplace_replaces_nothing),
		TEST(exchange_swaps_a_file_with_a_full_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
