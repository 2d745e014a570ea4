/* Extended attributes: set, replaced, listed, bounded, gone with the inode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static enum rfs_err set(struct testfs *fs, uint64_t ino, const char *name,
			const char *value, uint32_t flags)
{
	struct command command = { .op = COMMAND_SETXATTR,
				   .ino = ino,
				   .name = testfs_text(name),
				   .data = testfs_text(value),
				   .flags = flags };

	return testfs_apply(fs, &command);
}

static enum rfs_err clear(struct testfs *fs, uint64_t ino, const char *name)
{
	struct command command = { .op = COMMAND_REMOVEXATTR,
				   .ino = ino,
				   .name = testfs_text(name) };

	return testfs_apply(fs, &command);
}

static void expect(struct testfs *fs, uint64_t ino, const char *name,
		   const char *value)
{
	struct kv kv = testfs_begin_read(fs);
	struct bytes got;
	enum rfs_err err = query_getxattr(&kv, ino, testfs_text(name), &got);

	if (value) {
		assert_int_equal(err, RFS_ERR_OK);
		assert_int_equal(got.bytes, strlen(value));
		if (got.bytes)
			assert_memory_equal(got.data, value, got.bytes);
	} else {
		assert_int_equal(err, RFS_ERR_NODATA);
	}
	testfs_end_read(fs);
}

static bool join(void *ctx, struct bytes name)
{
	char *list = ctx;
	size_t at = strlen(list);

	memcpy(list + at, name.data, name.bytes);
	strcpy(list + at + name.bytes, ";");
	return true;
}

static void values_are_set_replaced_and_removed(void **state)
{
	struct testfs *fs = *state;
	struct inode attr;

	assert_int_equal(set(fs, ROOT, "user.a", "one", 0), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.ctime_ns, fs->ts_ns);
	expect(fs, ROOT, "user.a", "one");
	expect(fs, ROOT, "user", NULL);
	assert_int_equal(set(fs, ROOT, "user.a", "", 0), RFS_ERR_OK);
	expect(fs, ROOT, "user.a", "");
	assert_int_equal(clear(fs, ROOT, "user.a"), RFS_ERR_OK);
	expect(fs, ROOT, "user.a", NULL);
	assert_int_equal(clear(fs, ROOT, "user.a"), RFS_ERR_NODATA);
	testfs_getattr(fs, ROOT, &attr);
	assert_int_equal(attr.xattr_bytes, 0);
	assert_int_equal(set(fs, 4711, "user.a", "", 0), RFS_ERR_NOENT);
}

static void create_and_replace_mean_what_they_say(void **state)
{
	struct testfs *fs = *state;

	assert_int_equal(set(fs, ROOT, "user.a", "1", COMMAND_XREPLACE),
			 RFS_ERR_NODATA);
	assert_int_equal(set(fs, ROOT, "user.a", "1", COMMAND_XCREATE),
			 RFS_ERR_OK);
	assert_int_equal(set(fs, ROOT, "user.a", "2", COMMAND_XCREATE),
			 RFS_ERR_EXIST);
	assert_int_equal(set(fs, ROOT, "user.a", "3", COMMAND_XREPLACE),
			 RFS_ERR_OK);
	expect(fs, ROOT, "user.a", "3");
}

static void names_are_listed_per_inode(void **state)
{
	struct testfs *fs = *state;
	char list[64] = "";
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	set(fs, ROOT, "user.b", "", 0);
	set(fs, ROOT, "user.a", "", 0);
	set(fs, ino, "user.z", "", 0);
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_listxattr(&kv, ROOT, join, list), RFS_ERR_OK);
	assert_string_equal(list, "user.a;user.b;");
	testfs_end_read(fs);
}

static void an_inode_holds_so_much_and_no_more(void **state)
{
	static char value[40001];
	struct testfs *fs = *state;
	char name[32];

	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		assert_int_equal(set(fs, ROOT, name, value, 0), RFS_ERR_OK);
	}
	assert_int_equal(set(fs, ROOT, "user.9", value, 0), RFS_ERR_NOSPC);
	assert_int_equal(set(fs, ROOT, "user.0", value, 0), RFS_ERR_OK);
	clear(fs, ROOT, "user.0");
	assert_int_equal(set(fs, ROOT, "user.9", value, 0), RFS_ERR_OK);
}

static void they_go_with_the_inode(void **state)
{
	struct testfs *fs = *state;
	size_t before = memkv_count(fs->memkv[0]);
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	set(fs, ino, "user.a", "1", 0);
	set(fs, ino, "user.b", "2", 0);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	/* Four answers stay. */
	assert_int_equal(memkv_count(fs->memkv[0]), before + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_are_set_replaced_and_removed),
		TEST(create_and_replace_mean_what_they_say),
		TEST(names_are_listed_per_inode),
		TEST(an_inode_holds_so_much_and_no_more),
		TEST(they_go_with_the_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
