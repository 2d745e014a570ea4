/* Whole files into the cluster: one step when small, pieces when large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/cli/store.h"
#include "tests/client/fake_tree.h"

#define WINDOW (1024u * 1024u)

struct scene {
	struct tree tree;
	struct fake_server fake;
	struct raftfs *fs;
	_Atomic uint64_t done;
	struct store_source source;
	size_t bytes;	/* that the source has */
	size_t fail_at; /* 0: never */
	size_t zero_from, zero_to;
};

static uint8_t byte_at(const struct scene *scene, size_t at)
{
	return at >= scene->zero_from && at < scene->zero_to
		       ? 0
		       : (uint8_t)(at * 13 >> 3);
}

static enum rfs_err read_pattern(void *ctx, uint64_t offset, void *data,
				 size_t bytes, size_t *got)
{
	struct scene *scene = ctx;
	uint8_t *to = data;

	if (scene->fail_at > 0 && offset + bytes > scene->fail_at)
		return RFS_ERR_IO;
	for (*got = 0; *got < bytes && offset + *got < scene->bytes; (*got)++)
		to[*got] = byte_at(scene, offset + *got);
	return RFS_ERR_OK;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	tree_init(&scene->tree);
	fake_start(&scene->fake, tree_answer, &scene->tree);
	scene->source = (struct store_source){
		.read = read_pattern, .ctx = scene, .done_bytes = &scene->done};
	*state = scene;
	return raftfs_open(scene->fake.path, &scene->fs) == RFS_ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	raftfs_close(scene->fs);
	fake_stop(&scene->fake);
	tree_fini(&scene->tree);
	free(scene);
	return 0;
}

static const struct raftfs_new dated = {
	.mode = 0640, .dated = true, .mtime_ns = 42};

static enum rfs_err store(struct scene *scene, size_t bytes, uint64_t hint)
{
	scene->bytes = bytes;
	scene->source.size_hint = hint;
	return store_file(scene->fs, 1, "f", &dated, &scene->source);
}

static void expect_stored(struct scene *scene, size_t bytes)
{
	const struct tree_inode *inode = &scene->tree.inode[2];

	assert_int_equal(inode->size, bytes);
	assert_int_equal(inode->mode, S_IFREG | 0640);
	assert_int_equal(inode->mtime_ns, 42);
	assert_int_equal(scene->done, bytes);
	for (size_t i = 0; i < bytes; i++)
		if (inode->data[i] != byte_at(scene, i))
			fail_msg("byte %zu differs", i);
}

static void a_small_file_is_one_request(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(store(scene, 5000, 5000), RFS_ERR_OK);
	expect_stored(scene, 5000);
	/* The session, and the file. */
	assert_int_equal(scene->tree.requests, 2);
}

static void an_empty_file_is_stored_too(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(store(scene, 0, 0), RFS_ERR_OK);
	expect_stored(scene, 0);
}

static void sizes_around_a_window_arrive_whole(void **state)
{
	struct scene *scene = *state;
	const size_t sizes[] = {WINDOW - 1, WINDOW,	    WINDOW + 1,
				4 * WINDOW, 4 * WINDOW + 1, 9 * WINDOW - 7};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		tree_fini(&scene->tree);
		tree_init(&scene->tree);
		scene->done = 0;
		assert_int_equal(store(scene, sizes[i], sizes[i]), RFS_ERR_OK);
		expect_stored(scene, sizes[i]);
	}
}

static void a_file_that_grows_meanwhile_is_stored_as_it_is(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(store(scene, 2 * WINDOW, 100), RFS_ERR_OK);
	expect_stored(scene, 2 * WINDOW);
}

static void pieces_of_zeros_are_holes(void **state)
{
	struct scene *scene = *state;
	int writes;

	assert_int_equal(store(scene, 12 * WINDOW, 12 * WINDOW), RFS_ERR_OK);
	writes = scene->tree.writes;
	tree_fini(&scene->tree);
	tree_init(&scene->tree);
	scene->done = 0;
	scene->zero_from = 4 * WINDOW;
	scene->zero_to = 8 * WINDOW;
	assert_int_equal(store(scene, 12 * WINDOW, 12 * WINDOW), RFS_ERR_OK);
	expect_stored(scene, 12 * WINDOW);
	assert_true(scene->tree.writes < writes);
}

static void a_hole_at_the_end_is_part_of_the_size(void **state)
{
	struct scene *scene = *state;

	scene->zero_from = 4 * WINDOW;
	scene->zero_to = 9 * WINDOW - 7;
	assert_int_equal(store(scene, 9 * WINDOW - 7, 9 * WINDOW), RFS_ERR_OK);
	expect_stored(scene, 9 * WINDOW - 7);
}

static void a_source_that_fails_ends_the_copy(void **state)
{
	struct scene *scene = *state;

	scene->fail_at = 6 * WINDOW;
	assert_int_equal(store(scene, 9 * WINDOW, 9 * WINDOW), RFS_ERR_IO);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(a_small_file_is_one_request),
		IN_SCENE(an_empty_file_is_stored_too),
		IN_SCENE(sizes_around_a_window_arrive_whole),
		IN_SCENE(a_file_that_grows_meanwhile_is_stored_as_it_is),
		IN_SCENE(pieces_of_zeros_are_holes),
		IN_SCENE(a_hole_at_the_end_is_part_of_the_size),
		IN_SCENE(a_source_that_fails_ends_the_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
