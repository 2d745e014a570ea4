/* The tree: making, linking, removing names, and who keeps an inode alive. */
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

static void a_fresh_state_is_an_empty_root(void **state)
{
	struct testfs *fs = *state;
	struct inode root;

	assert_int_equal(testfs_getattr(fs, ROOT, &root), RFS_ERR_OK);
	assert_int_equal(root.mode, INODE_TYPE_DIR | 0755);
	assert_int_equal(root.nlink, 2);
	assert_int_equal(root.size_bytes, 0);
	assert_int_equal(root.uid, 0);
	assert_int_equal(testfs_state(fs).inode_count, 1);
}

static void making_stamps_child_and_parent_with_the_entry(void **state)
{
	struct testfs *fs = *state;
	struct inode root, file;

	assert_int_equal(testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0640, NULL),
			 RFS_ERR_OK);
	assert_int_equal(testfs_lookup(fs, ROOT, "f", &file), RFS_ERR_OK);
	assert_int_equal(testfs_getattr(fs, ROOT, &root), RFS_ERR_OK);
	assert_int_equal(file.mode, INODE_TYPE_REGULAR | 0640);
	assert_int_equal(file.nlink, 1);
	assert_int_equal(file.ctime_ns, fs->ts_ns);
	assert_int_equal(file.mtime_ns, fs->ts_ns);
	assert_int_equal(file.atime_ns, fs->ts_ns);
	assert_int_equal(file.version, fs->index);
	assert_int_equal(root.mtime_ns, fs->ts_ns);
	assert_int_equal(root.ctime_ns, fs->ts_ns);
	assert_int_equal(root.version, fs->index);
	assert_int_equal(root.size_bytes, 1);
	assert_memory_equal(&fs->result.attr, &file, sizeof(file));
}

static void times_given_at_creation_are_kept(void **state)
{
	struct testfs *fs = *state;
	struct command command = { .op = COMMAND_MKDIR,
				   .ino = ROOT,
				   .name = testfs_text("d"),
				   .mode = 0700,
				   .set_mask = COMMAND_SET_ATIME |
					       COMMAND_SET_MTIME,
				   .atime_ns = -1,
				   .mtime_ns = 77 };

	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.atime_ns, -1);
	assert_int_equal(fs->result.attr.mtime_ns, 77);
	assert_int_equal(fs->result.attr.ctime_ns, fs->ts_ns);
}

static void a_name_can_be_made_once(void **state)
{
	struct testfs *fs = *state;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, NULL);
	assert_int_equal(testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, NULL),
			 RFS_ERR_EXIST);
	assert_int_equal(testfs_symlink(fs, ROOT, "d", "x"), RFS_ERR_EXIST);
	assert_int_equal(testfs_make(fs, COMMAND_CREATE, ROOT, "d", 0755, NULL),
			 RFS_ERR_ISDIR);
	assert_int_equal(testfs_state(fs).inode_count, 2);
}

static void create_finds_an_existing_file_unless_exclusive(void **state)
{
	struct testfs *fs = *state;
	struct command command = { .op = COMMAND_CREATE,
				   .ino = ROOT,
				   .name = testfs_text("f"),
				   .mode = 0600 };
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	assert_false(fs->result.existed);
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_true(fs->result.existed);
	assert_int_equal(fs->result.attr.ino, ino);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 0644);
	command.seq = 0;
	command.flags = COMMAND_EXCL;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_EXIST);
}

static void parents_must_be_living_directories(void **state)
{
	struct testfs *fs = *state;
	uint64_t file, dir;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &file);
	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, &dir);
	assert_int_equal(testfs_make(fs, COMMAND_CREATE, file, "x", 0, NULL),
			 RFS_ERR_NOTDIR);
	assert_int_equal(testfs_make(fs, COMMAND_CREATE, 4711, "x", 0, NULL),
			 RFS_ERR_NOENT);
	testfs_open(fs, dir);
	assert_int_equal(testfs_remove(fs, COMMAND_RMDIR, ROOT, "d"),
			 RFS_ERR_OK);
	assert_int_equal(testfs_make(fs, COMMAND_CREATE, dir, "x", 0, NULL),
			 RFS_ERR_NOENT);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, file, "x"),
			 RFS_ERR_NOTDIR);
}

static void subdirectories_count_as_links_of_their_parent(void **state)
{
	struct testfs *fs = *state;
	struct inode root;
	uint64_t dir;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "a", 0755, &dir);
	testfs_make(fs, COMMAND_MKDIR, ROOT, "b", 0755, NULL);
	testfs_make(fs, COMMAND_MKDIR, dir, "c", 0755, NULL);
	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, NULL);
	testfs_getattr(fs, ROOT, &root);
	assert_int_equal(root.nlink, 4);
	assert_int_equal(root.size_bytes, 3);
	testfs_remove(fs, COMMAND_RMDIR, ROOT, "b");
	testfs_getattr(fs, ROOT, &root);
	assert_int_equal(root.nlink, 3);
	assert_int_equal(root.size_bytes, 2);
}

static void a_set_gid_directory_hands_its_group_down(void **state)
{
	struct testfs *fs = *state;
	struct command command = { .op = COMMAND_MKDIR,
				   .ino = ROOT,
				   .name = testfs_text("shared"),
				   .mode = 02775,
				   .uid = 1,
				   .gid = 50 };
	uint64_t dir;

	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	dir = fs->result.attr.ino;
	testfs_make(fs, COMMAND_CREATE, dir, "f", 0644, NULL);
	assert_int_equal(fs->result.attr.gid, 50);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_REGULAR | 0644);
	testfs_make(fs, COMMAND_MKDIR, dir, "d", 0755, NULL);
	assert_int_equal(fs->result.attr.gid, 50);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_DIR | 02755);
}

static void devices_keep_their_number_and_others_have_none(void **state)
{
	struct testfs *fs = *state;
	struct command command = { .op = COMMAND_MKNOD,
				   .ino = ROOT,
				   .name = testfs_text("null"),
				   .mode = INODE_TYPE_CHAR | 0666,
				   .rdev = 0x103 };

	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.rdev, 0x103);
	command.seq = 0;
	command.name = testfs_text("pipe");
	command.mode = INODE_TYPE_FIFO | 0600;
	assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.rdev, 0);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_FIFO | 0600);
	assert_int_equal(testfs_write(fs, fs->result.attr.ino, 0, "x", 1),
			 RFS_ERR_INVALID);
}

static void a_symbolic_link_says_where_it_points(void **state)
{
	struct testfs *fs = *state;
	struct bytes target;
	uint64_t ino;

	assert_int_equal(testfs_symlink(fs, ROOT, "l", "../some/where"),
			 RFS_ERR_OK);
	ino = fs->result.attr.ino;
	assert_int_equal(fs->result.attr.size_bytes, 13);
	assert_int_equal(fs->result.attr.mode, INODE_TYPE_SYMLINK | 0777);
	struct kv kv = testfs_begin_read(fs);
	assert_int_equal(query_readlink(&kv, ino, &target), RFS_ERR_OK);
	assert_int_equal(target.bytes, 13);
	assert_memory_equal(target.data, "../some/where", 13);
	assert_int_equal(query_readlink(&kv, ROOT, &target), RFS_ERR_INVALID);
	testfs_end_read(fs);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, ROOT, "l"),
			 RFS_ERR_OK);
}

static void hard_links_share_one_inode_until_the_last_goes(void **state)
{
	struct testfs *fs = *state;
	struct inode attr;
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "a", 0644, &ino);
	testfs_write(fs, ino, 0, "data", 4);
	assert_int_equal(testfs_link(fs, ROOT, "b", ino), RFS_ERR_OK);
	assert_int_equal(fs->result.attr.nlink, 2);
	assert_int_equal(testfs_link(fs, ROOT, "b", ino), RFS_ERR_EXIST);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, ROOT, "a"),
			 RFS_ERR_OK);
	assert_int_equal(testfs_lookup(fs, ROOT, "b", &attr), RFS_ERR_OK);
	assert_int_equal(attr.ino, ino);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(attr.ctime_ns, fs->ts_ns);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, ROOT, "b"),
			 RFS_ERR_OK);
	assert_int_equal(fs->freed_count, 1);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_NOENT);
}

static void what_must_not_be_linked_is_not(void **state)
{
	struct testfs *fs = *state;
	uint64_t dir, file;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, &dir);
	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &file);
	assert_int_equal(testfs_link(fs, ROOT, "x", dir), RFS_ERR_PERM);
	assert_int_equal(testfs_link(fs, ROOT, "x", 4711), RFS_ERR_NOENT);
	testfs_open(fs, file);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(testfs_link(fs, ROOT, "x", file), RFS_ERR_NOENT);
}

/* The count is set in the state, for 65000 links would only test patience. */
static void a_file_has_at_most_65000_links(void **state)
{
	struct testfs *fs = *state;
	struct inode inode;
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	for (int link = 0; link < 2; link++) {
		for (int i = 0; i < 2; i++) {
			struct kv kv;

			memkv_begin(fs->memkv[i], &kv);
			assert_int_equal(inode_load(&kv, ino, &inode),
					 RFS_ERR_OK);
			inode.nlink = link ? 1 : INODE_LINKS_MAX;
			inode_save(&kv, &inode);
			memkv_commit(fs->memkv[i]);
		}
		assert_int_equal(testfs_link(fs, ROOT, "g", ino),
				 link ? RFS_ERR_OK : RFS_ERR_MLINK);
	}
}

static void unlink_and_rmdir_keep_to_their_kind(void **state)
{
	struct testfs *fs = *state;
	uint64_t dir;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, &dir);
	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, NULL);
	testfs_make(fs, COMMAND_CREATE, dir, "g", 0644, NULL);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, ROOT, "d"),
			 RFS_ERR_ISDIR);
	assert_int_equal(testfs_remove(fs, COMMAND_RMDIR, ROOT, "f"),
			 RFS_ERR_NOTDIR);
	assert_int_equal(testfs_remove(fs, COMMAND_RMDIR, ROOT, "d"),
			 RFS_ERR_NOTEMPTY);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, ROOT, "none"),
			 RFS_ERR_NOENT);
	assert_int_equal(testfs_remove(fs, COMMAND_UNLINK, dir, "g"),
			 RFS_ERR_OK);
	assert_int_equal(testfs_remove(fs, COMMAND_RMDIR, ROOT, "d"),
			 RFS_ERR_OK);
	assert_int_equal(fs->result.attr.nlink, 0);
}

static void inode_numbers_are_never_used_again(void **state)
{
	struct testfs *fs = *state;
	uint64_t last = 1, ino;

	for (int i = 0; i < 5; i++) {
		testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
		assert_true(ino > last);
		last = ino;
		testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	}
}

static void an_unlinked_open_file_lives_until_released(void **state)
{
	struct testfs *fs = *state;
	struct inode attr;
	uint64_t ino;
	char text[4];

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	testfs_write(fs, ino, 0, "data", 4);
	assert_int_equal(testfs_open(fs, ino), RFS_ERR_OK);
	assert_int_equal(testfs_open(fs, ino), RFS_ERR_OK);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(testfs_read(fs, ino, 0, text, 4), 4);
	assert_int_equal(testfs_append(fs, ino, "more", 4), RFS_ERR_OK);
	testfs_check(fs);
	assert_int_equal(testfs_release(fs, ino), RFS_ERR_OK);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	assert_int_equal(testfs_release(fs, ino), RFS_ERR_OK);
	assert_int_equal(fs->freed_count, 2);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_NOENT);
	assert_int_equal(testfs_release(fs, ino), RFS_ERR_NOENT);
}

static void create_may_open_in_the_same_step(void **state)
{
	struct testfs *fs = *state;
	struct inode attr;
	struct command command = { .op = COMMAND_CREATE,
				   .ino = ROOT,
				   .name = testfs_text("f"),
				   .flags = COMMAND_PIN };

	for (int round = 0; round < 2; round++) {
		command.seq = 0;
		assert_int_equal(testfs_apply(fs, &command), RFS_ERR_OK);
	}
	uint64_t ino = fs->result.attr.ino;

	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	testfs_release(fs, ino);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	testfs_release(fs, ino);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_NOENT);
}

static void each_session_holds_its_own_pin(void **state)
{
	struct testfs *fs = *state;
	struct command open = { .op = COMMAND_OPEN_SESSION, .lease_ns = 1000 };
	struct command close = { .op = COMMAND_CLOSE_SESSION };
	struct command pin = { .op = COMMAND_OPEN, .seq = 1 };
	struct inode attr;
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	testfs_open(fs, ino);
	assert_int_equal(testfs_apply(fs, &open), RFS_ERR_OK);
	close.session = pin.session = fs->result.value;
	pin.ino = ino;
	assert_int_equal(testfs_apply(fs, &pin), RFS_ERR_OK);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	testfs_release(fs, ino);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	testfs_check(fs);
	assert_int_equal(testfs_apply(fs, &close), RFS_ERR_OK);
	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_NOENT);
}

static void put_makes_or_replaces_in_one_step(void **state)
{
	struct testfs *fs = *state;
	struct command put = { .op = COMMAND_PUT,
			       .ino = ROOT,
			       .name = testfs_text("f"),
			       .mode = 0600,
			       .data = testfs_text("first content") };
	struct inode attr;
	char text[32];

	testfs_sha256("first content", 13, put.sha256);
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_OK);
	assert_false(fs->result.existed);
	uint64_t ino = fs->result.attr.ino;

	put.seq = 0;
	put.data = testfs_text("2nd");
	testfs_sha256("2nd", 3, put.sha256);
	put.mode = 0644;
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_OK);
	assert_true(fs->result.existed);
	assert_int_equal(fs->freed_count, 1);
	testfs_getattr(fs, ino, &attr);
	assert_int_equal(attr.size_bytes, 3);
	assert_int_equal(attr.allocated_bytes, 3);
	assert_int_equal(attr.mode, INODE_TYPE_REGULAR | 0600);
	assert_int_equal(testfs_read(fs, ino, 0, text, sizeof(text)), 3);
	assert_memory_equal(text, "2nd", 3);

	put.seq = 0;
	put.flags = COMMAND_EXCL;
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_EXIST);
	put.seq = 0;
	put.flags = 0;
	put.set_mask = COMMAND_SET_MODE | COMMAND_SET_MTIME;
	put.mtime_ns = 5;
	put.data.bytes = 0;
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_OK);
	testfs_getattr(fs, ino, &attr);
	assert_int_equal(attr.size_bytes, 0);
	assert_int_equal(attr.mtime_ns, 5);
	assert_int_equal(attr.mode, INODE_TYPE_REGULAR | 0644);
}

static void put_replaces_only_regular_files(void **state)
{
	struct testfs *fs = *state;
	struct command put = { .op = COMMAND_PUT, .ino = ROOT };

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, NULL);
	testfs_symlink(fs, ROOT, "l", "d");
	put.name = testfs_text("d");
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_ISDIR);
	put.seq = 0;
	put.name = testfs_text("l");
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_EXIST);
}

static void lookup_knows_dot_and_dot_dot(void **state)
{
	struct testfs *fs = *state;
	struct inode attr;
	uint64_t dir, below;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, &dir);
	testfs_make(fs, COMMAND_MKDIR, dir, "e", 0755, &below);
	assert_int_equal(testfs_lookup(fs, below, "..", &attr), RFS_ERR_OK);
	assert_int_equal(attr.ino, dir);
	testfs_lookup(fs, below, ".", &attr);
	assert_int_equal(attr.ino, below);
	testfs_lookup(fs, ROOT, "..", &attr);
	assert_int_equal(attr.ino, ROOT);
	assert_int_equal(testfs_lookup(fs, ROOT, "none", &attr),
			 RFS_ERR_NOENT);
	assert_int_equal(testfs_lookup(fs, ROOT, "a/b", &attr),
			 RFS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fresh_state_is_an_empty_root),
		TEST(making_stamps_child_and_parent_with_the_entry),
		TEST(times_given_at_creation_are_kept),
		TEST(a_name_can_be_made_once),
		TEST(create_finds_an_existing_file_unless_exclusive),
		TEST(parents_must_be_living_directories),
		TEST(subdirectories_count_as_links_of_their_parent),
		TEST(a_set_gid_directory_hands_its_group_down),
		TEST(devices_keep_their_number_and_others_have_none),
		TEST(a_symbolic_link_says_where_it_points),
		TEST(hard_links_share_one_inode_until_the_last_goes),
		TEST(what_must_not_be_linked_is_not),
		TEST(a_file_has_at_most_65000_links),
		TEST(unlink_and_rmdir_keep_to_their_kind),
		TEST(inode_numbers_are_never_used_again),
		TEST(an_unlinked_open_file_lives_until_released),
		TEST(create_may_open_in_the_same_step),
		TEST(each_session_holds_its_own_pin),
		TEST(put_makes_or_replaces_in_one_step),
		TEST(put_replaces_only_regular_files),
		TEST(lookup_knows_dot_and_dot_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
