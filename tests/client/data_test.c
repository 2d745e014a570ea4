/* File contents through libraftfs: cut at windows, joined at reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/lib/raftfs.h"
#include "tests/client/fake_tree.h"

#define BIG (5u * 1024 * 1024 + 12345)

static const struct raftfs_who root = {0, 0};

struct scene {
	struct tree tree;
	struct fake_server fake;
	struct raftfs *fs;
	uint64_t ino;
	uint8_t *bytes;
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
	scene->bytes = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		scene->bytes[i] = (uint8_t)(i * 31 + i / 4096);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	raftfs_close(scene->fs);
	fake_stop(&scene->fake);
	tree_fini(&scene->tree);
	free(scene->bytes);
	free(scene);
	return 0;
}

static void a_large_write_is_cut_at_windows_and_reads_back(void **state)
{
	struct scene *scene = *state;
	uint8_t *back = malloc(BIG + 10);
	size_t got;

	assert_int_equal(raftfs_write(scene->fs, root, scene->ino, 1000,
				      scene->bytes, BIG),
			 RFS_ERR_OK);
	assert_int_equal(scene->tree.writes, 6);
	assert_false(scene->tree.crossed_window);
	assert_int_equal(
		raftfs_read(scene->fs, scene->ino, 1000, back, BIG + 10, &got),
		RFS_ERR_OK);
	assert_int_equal(got, BIG);
	assert_memory_equal(back, scene->bytes, BIG);
	free(back);
}

static void reading_at_the_end_gives_nothing(void **state)
{
	struct scene *scene = *state;
	uint8_t byte;
	size_t got = 7;

	assert_int_equal(raftfs_read(scene->fs, scene->ino, 99, &byte, 1, &got),
			 RFS_ERR_OK);
	assert_int_equal(got, 0);
}

static void one_refused_piece_fails_the_whole_write(void **state)
{
	struct scene *scene = *state;

	scene->tree.refuse_writes = RFS_ERR_NOSPC;
	assert_int_equal(
		raftfs_write(scene->fs, root, scene->ino, 0, scene->bytes, BIG),
		RFS_ERR_NOSPC);
}

static void appends_land_one_after_the_other(void **state)
{
	struct scene *scene = *state;
	uint8_t back[10];
	size_t got;

	assert_int_equal(raftfs_append(scene->fs, root, scene->ino, "abc", 3),
			 RFS_ERR_OK);
	assert_int_equal(raftfs_append(scene->fs, root, scene->ino, "def", 3),
			 RFS_ERR_OK);
	assert_int_equal(raftfs_read(scene->fs, scene->ino, 0, back, 10, &got),
			 RFS_ERR_OK);
	assert_int_equal(got, 6);
	assert_memory_equal(back, "abcdef", 6);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(a_large_write_is_cut_at_windows_and_reads_back),
		IN_SCENE(reading_at_the_end_gives_nothing),
		IN_SCENE(one_refused_piece_fails_the_whole_write),
		IN_SCENE(appends_land_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
