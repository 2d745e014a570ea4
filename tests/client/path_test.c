/* Paths: names, dots, links, and the errors that people make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/cli/listing.h"
#include "client/cli/place.h"
#include "client/lib/raftfs.h"
#include "tests/client/fake_tree.h"

/*	/a/ (2)   /a/b/ (3)   /a/b/f (4)
 *	/abs -> /a/b (5)   /a/rel -> b/../b/f (6)   /loop -> loop (7)
 */
struct scene {
	struct tree tree;
	struct fake_server fake;
	struct raftfs *fs;
};

static void add_link(struct tree *tree, uint64_t parent, const char *name,
		     const char *target)
{
	uint64_t ino =
		tree_add(tree, parent, name, strlen(name), S_IFLNK | 0777);

	strcpy((char *)tree->inode[ino].data, target);
	tree->inode[ino].size = strlen(target);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct tree *tree = &scene->tree;

	tree_init(tree);
	tree_add(tree, 1, "a", 1, S_IFDIR | 0755);
	tree_add(tree, 2, "b", 1, S_IFDIR | 0755);
	tree_add(tree, 3, "f", 1, S_IFREG | 0644);
	add_link(tree, 1, "abs", "/a/b");
	add_link(tree, 2, "rel", "b/../b/f");
	add_link(tree, 1, "loop", "loop");
	fake_start(&scene->fake, tree_answer, tree);
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

static uint64_t ino_of(struct scene *scene, const char *path, bool follow)
{
	struct raftfs_attr attr = {.ino = 0};
	enum rfs_err err = raftfs_walk(scene->fs, path, follow, &attr);

	return err == RFS_ERR_OK ? attr.ino : 1000 + (uint64_t)err;
}

static void names_slashes_and_dots_lead_where_they_should(void **state)
{
	assert_int_equal(ino_of(*state, "/", true), 1);
	assert_int_equal(ino_of(*state, "", true), 1);
	assert_int_equal(ino_of(*state, "a/b/f", true), 4);
	assert_int_equal(ino_of(*state, "//a///b/", true), 3);
	assert_int_equal(ino_of(*state, "/a/./b/../b/f", true), 4);
	assert_int_equal(ino_of(*state, "/../../a", true), 2);
}

static void links_are_followed_from_where_they_are(void **state)
{
	assert_int_equal(ino_of(*state, "/abs", true), 3);
	assert_int_equal(ino_of(*state, "/abs", false), 5);
	assert_int_equal(ino_of(*state, "/abs/f", false), 4);
	assert_int_equal(ino_of(*state, "/a/rel", true), 4);
	assert_int_equal(ino_of(*state, "/abs/../rel", true), 4);
}

static void mistakes_have_their_own_errors(void **state)
{
	char name[400];

	assert_int_equal(ino_of(*state, "/nope", true), 1000 + RFS_ERR_NOENT);
	assert_int_equal(ino_of(*state, "/a/b/f/x", true),
			 1000 + RFS_ERR_NOTDIR);
	assert_int_equal(ino_of(*state, "/a/b/f/", true),
			 1000 + RFS_ERR_NOTDIR);
	assert_int_equal(ino_of(*state, "/loop", true), 1000 + RFS_ERR_LOOP);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ino_of(*state, name, true),
			 1000 + RFS_ERR_NAMETOOLONG);
}

static void the_parent_of_a_new_name_is_found(void **state)
{
	struct scene *scene = *state;
	char name[RAFTFS_NAME_MAX + 1];
	struct raftfs_attr parent;

	assert_int_equal(
		raftfs_walk_parent(scene->fs, "/abs/new/", &parent, name),
		RFS_ERR_OK);
	assert_int_equal(parent.ino, 3);
	assert_string_equal(name, "new");
	assert_int_equal(raftfs_walk_parent(scene->fs, "/", &parent, name),
			 RFS_ERR_INVALID);
	assert_int_equal(raftfs_walk_parent(scene->fs, "/a/..", &parent, name),
			 RFS_ERR_INVALID);
}

static void a_copy_goes_into_a_directory_or_to_a_name(void **state)
{
	struct scene *scene = *state;
	char name[RAFTFS_NAME_MAX + 1];
	uint64_t parent;

	assert_int_equal(place_find(scene->fs, "/x/file", "/a", &parent, name),
			 RFS_ERR_OK);
	assert_int_equal(parent, 2);
	assert_string_equal(name, "file");
	assert_int_equal(
		place_find(scene->fs, "/x/file", "/a/new", &parent, name),
		RFS_ERR_OK);
	assert_int_equal(parent, 2);
	assert_string_equal(name, "new");
	assert_int_equal(place_find(scene->fs, "-", "/a", &parent, name),
			 RFS_ERR_ISDIR);
	assert_int_equal(place_find(scene->fs, "f", "/no/new", &parent, name),
			 RFS_ERR_NOENT);
}

static void a_listing_gathers_all_pages_in_name_order(void **state)
{
	struct scene *scene = *state;
	struct listing listing;

	tree_add(&scene->tree, 1, "zz", 2, S_IFREG | 0644);
	tree_add(&scene->tree, 1, "aa", 2, S_IFREG | 0644);
	assert_int_equal(listing_read(scene->fs, 1, &listing), RFS_ERR_OK);
	assert_int_equal(listing.count, 5);
	assert_string_equal(listing.entries[0].name, "a");
	assert_string_equal(listing.entries[1].name, "aa");
	assert_string_equal(listing.entries[4].name, "zz");
	/* The node sent no attributes with the names: they were asked for. */
	assert_int_equal(listing.entries[4].attr.mode, S_IFREG | 0644);
	listing_free(&listing);
}

static void a_name_that_leaves_its_directory_is_corruption(void **state)
{
	struct scene *scene = *state;
	struct listing listing;

	tree_add(&scene->tree, 3, "../up", 5, S_IFREG | 0644);
	assert_int_equal(listing_read(scene->fs, 3, &listing), RFS_ERR_CORRUPT);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(names_slashes_and_dots_lead_where_they_should),
		IN_SCENE(links_are_followed_from_where_they_are),
		IN_SCENE(mistakes_have_their_own_errors),
		IN_SCENE(the_parent_of_a_new_name_is_found),
		IN_SCENE(a_copy_goes_into_a_directory_or_to_a_name),
		IN_SCENE(a_listing_gathers_all_pages_in_name_order),
		IN_SCENE(a_name_that_leaves_its_directory_is_corruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
