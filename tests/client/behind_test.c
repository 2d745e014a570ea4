/* Write-behind: few large writes, in order where it matters, no error lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/mount/behind.h"
#include "tests/client/fake_tree.h"

static const struct raftfs_who root = {0, 0};

struct scene {
	struct tree tree;
	struct fake_server fake;
	struct raftfs *fs;
	struct behind behind;
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
	behind_init(&scene->behind);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	behind_fini(&scene->behind);
	raftfs_close(scene->fs);
	fake_stop(&scene->fake);
	tree_fini(&scene->tree);
	free(scene);
	return 0;
}

static enum rfs_err put(struct scene *scene, uint64_t offset, const char *text)
{
	return behind_write(&scene->behind, scene->fs, scene->ino, root, offset,
			    false, text, strlen(text));
}

static enum rfs_err drain(struct scene *scene, bool report)
{
	return behind_drain(&scene->behind, scene->fs, scene->ino, report);
}

static void small_sequential_writes_travel_as_one(void **state)
{
	struct scene *scene = *state;
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (uint64_t i = 0; i < 256; i++)
		assert_int_equal(behind_write(&scene->behind, scene->fs,
					      scene->ino, root,
					      i * sizeof(block), false, block,
					      sizeof(block)),
				 RFS_ERR_OK);
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_int_equal(scene->tree.writes, 1);
	assert_int_equal(scene->tree.inode[scene->ino].size, 1024 * 1024);
}

static void nothing_is_sent_before_it_must_be(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(put(scene, 0, "abc"), RFS_ERR_OK);
	assert_int_equal(scene->tree.writes, 0);
	assert_false(behind_is_empty(&scene->behind));
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_int_equal(scene->tree.writes, 1);
	assert_true(behind_is_empty(&scene->behind));
}

static void a_gap_starts_another_write(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(put(scene, 0, "abc"), RFS_ERR_OK);
	assert_int_equal(put(scene, 10, "def"), RFS_ERR_OK);
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_int_equal(scene->tree.writes, 2);
	assert_memory_equal(scene->tree.inode[scene->ino].data,
			    "abc\0\0\0\0\0\0\0def", 13);
}

static void the_later_of_two_overlapping_writes_wins(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(put(scene, 0, "old"), RFS_ERR_OK);
		assert_int_equal(put(scene, 1, "new"), RFS_ERR_OK);
	}
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_memory_equal(scene->tree.inode[scene->ino].data, "onew", 4);
}

static void writes_are_cut_at_windows(void **state)
{
	struct scene *scene = *state;
	size_t bytes = 3u << 20;
	char *large = calloc(1, bytes);

	assert_int_equal(behind_write(&scene->behind, scene->fs, scene->ino,
				      root, 100, false, large, bytes),
			 RFS_ERR_OK);
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_false(scene->tree.crossed_window);
	assert_int_equal(scene->tree.writes, 4);
	free(large);
}

static void a_failure_stays_until_it_has_been_reported(void **state)
{
	struct scene *scene = *state;

	scene->tree.refuse_writes = RFS_ERR_NOSPC;
	assert_int_equal(put(scene, 0, "abc"), RFS_ERR_OK);
	assert_int_equal(drain(scene, false), RFS_ERR_NOSPC);
	scene->tree.refuse_writes = 0;
	/* A look has drained it; the program has not heard yet. */
	assert_int_equal(put(scene, 3, "def"), RFS_ERR_NOSPC);
	assert_int_equal(drain(scene, true), RFS_ERR_NOSPC);
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
	assert_int_equal(put(scene, 0, "abc"), RFS_ERR_OK);
	assert_int_equal(drain(scene, true), RFS_ERR_OK);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(small_sequential_writes_travel_as_one),
		IN_SCENE(nothing_is_sent_before_it_must_be),
		IN_SCENE(a_gap_starts_another_write),
		IN_SCENE(the_later_of_two_overlapping_writes_wins),
		IN_SCENE(writes_are_cut_at_windows),
		IN_SCENE(a_failure_stays_until_it_has_been_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
