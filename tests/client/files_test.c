/* Open inodes of a mount: shared, drained by a look, kept while open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/mount/files.h"
#include "tests/client/fake_tree.h"

static const struct raftfs_who root = {0, 0};

struct scene {
	struct tree tree;
	struct fake_server fake;
	struct raftfs *fs;
	struct files files;
	uint64_t ino;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const struct raftfs_new as = {.mode = 0644};
	struct raftfs_attr attr;

	tree_init(&scene->tree);
	fake_start(&scene->fake, tree_answer, &scene->tree);
	if (raftfs_open(scene->fake.path, &scene->fs) != RFS_ERR_OK ||
	    raftfs_create(scene->fs, 1, "f", &as, &attr) != RFS_ERR_OK)
		return -1;
	scene->ino = attr.ino;
	files_init(&scene->files);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(scene->files.count, 0);
	raftfs_close(scene->fs);
	fake_stop(&scene->fake);
	tree_fini(&scene->tree);
	free(scene);
	return 0;
}

static void put(struct scene *scene, struct file *file, const char *text)
{
	assert_int_equal(behind_write(&file->behind, scene->fs, scene->ino,
				      root, 0, false, text, strlen(text)),
			 RFS_ERR_OK);
}

static void all_handles_of_an_inode_share_one_file(void **state)
{
	struct scene *s = *state;
	struct file *a = files_open(&s->files, s->ino);
	struct file *b = files_open(&s->files, s->ino);
	/* The same bucket, another inode. */
	struct file *c = files_open(&s->files, s->ino + FILES_BUCKETS);

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(s->files.count, 2);
	files_close(&s->files, s->fs, a);
	assert_int_equal(s->files.count, 2);
	files_close(&s->files, s->fs, b);
	files_close(&s->files, s->fs, c);
}

static void a_look_writes_what_waits(void **state)
{
	struct scene *s = *state;
	struct file *file = files_open(&s->files, s->ino);
	bool wrote;

	put(s, file, "abc");
	assert_int_equal(s->tree.writes, 0);
	assert_int_equal(files_drain(&s->files, s->fs, s->ino + 1, &wrote),
			 RFS_ERR_OK);
	assert_false(wrote);
	assert_int_equal(files_drain(&s->files, s->fs, s->ino, &wrote),
			 RFS_ERR_OK);
	assert_true(wrote);
	assert_int_equal(s->tree.writes, 1);
	assert_int_equal(files_drain(&s->files, s->fs, s->ino, &wrote),
			 RFS_ERR_OK);
	assert_false(wrote);
	files_close(&s->files, s->fs, file);
}

static void closing_writes_what_waits(void **state)
{
	struct scene *s = *state;
	struct file *file = files_open(&s->files, s->ino);

	put(s, file, "abc");
	files_close(&s->files, s->fs, file);
	assert_int_equal(s->tree.writes, 1);
	assert_int_equal(s->tree.inode[s->ino].size, 3);
}

static void only_an_open_inode_is_pinned_and_only_once(void **state)
{
	struct scene *s = *state;

	assert_int_equal(files_pin(&s->files, s->fs, s->ino), RFS_ERR_OK);
	assert_int_equal(s->tree.pins, 0);
	struct file *a = files_open(&s->files, s->ino);
	struct file *b = files_open(&s->files, s->ino);

	assert_int_equal(files_pin(&s->files, s->fs, s->ino), RFS_ERR_OK);
	assert_int_equal(files_pin(&s->files, s->fs, s->ino), RFS_ERR_OK);
	assert_int_equal(s->tree.pins, 1);
	files_close(&s->files, s->fs, a);
	assert_int_equal(s->tree.pins, 1);
	files_close(&s->files, s->fs, b);
	assert_int_equal(s->tree.pins, 0);
}

static void the_end_of_the_mount_writes_everything(void **state)
{
	struct scene *s = *state;
	struct file *file = files_open(&s->files, s->ino);

	put(s, file, "abc");
	files_drain_all(&s->files, s->fs);
	assert_int_equal(s->tree.writes, 1);
	files_close(&s->files, s->fs, file);
}

static void a_removal_is_seen_by_who_opens_meanwhile(void **state)
{
	struct scene *s = *state;
	struct files_removal a;
	struct files_removal b;

	assert_false(files_is_removed(&s->files, s->ino));
	assert_false(files_removed_lately(&s->files));
	files_removal_begin(&s->files, &a);
	files_removal_begin(&s->files, &b);
	assert_true(files_is_removed(&s->files, s->ino));
	files_removal_of(&s->files, &a, s->ino + 1);
	assert_true(files_is_removed(&s->files, s->ino));
	files_removal_of(&s->files, &b, FILES_NONE);
	assert_false(files_is_removed(&s->files, s->ino));
	assert_true(files_is_removed(&s->files, s->ino + 1));
	files_removal_end(&s->files, &a);
	files_removal_end(&s->files, &b);
	assert_false(files_is_removed(&s->files, s->ino + 1));
	assert_true(files_removed_lately(&s->files));
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(all_handles_of_an_inode_share_one_file),
		IN_SCENE(a_look_writes_what_waits),
		IN_SCENE(closing_writes_what_waits),
		IN_SCENE(only_an_open_inode_is_pinned_and_only_once),
		IN_SCENE(a_removal_is_seen_by_who_opens_meanwhile),
		IN_SCENE(the_end_of_the_mount_writes_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
