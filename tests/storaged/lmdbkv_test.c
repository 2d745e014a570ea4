/* LMDB as the core's ordered transaction: the contract of kv.h, and copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "common/units.h"
#include "storaged/lmdbkv.h"
#include "tests/storaged/scratch.h"

struct fixture {
	char dir[64];
	char path[128];
	struct lmdbkv *env;
};

static int open_one(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/state.mdb", f->dir);
	assert_int_equal(lmdbkv_open(f->path, 64 * MIB, &f->env), RFS_ERR_OK);
	*state = f;
	return 0;
}

static int close_one(void **state)
{
	struct fixture *f = *state;

	lmdbkv_close(f->env);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static struct bytes text(const char *s)
{
	return (struct bytes){ .data = (const uint8_t *)s, .bytes = strlen(s) };
}

static void assert_text(struct bytes b, const char *s)
{
	assert_int_equal(b.bytes, strlen(s));
	assert_memory_equal(b.data, s, b.bytes);
}

static void put_one(struct fixture *f, const char *key, const char *value)
{
	struct kv kv;

	assert_int_equal(lmdbkv_begin_write(f->env, &kv), RFS_ERR_OK);
	kv_put(&kv, text(key), text(value));
	assert_int_equal(kv.failed, RFS_ERR_OK);
	assert_int_equal(lmdbkv_commit(f->env, &kv), RFS_ERR_OK);
}

static void keys_come_in_order_from_where_one_seeks(void **state)
{
	struct fixture *f = *state;
	struct bytes key;
	struct bytes value;
	struct kv kv;

	put_one(f, "b", "2");
	put_one(f, "aa", "1");
	put_one(f, "a", "0");
	put_one(f, "c", "3");
	assert_int_equal(lmdbkv_begin_read(f->env, &kv), RFS_ERR_OK);
	assert_int_equal(kv_seek(&kv, text("aa"), &key, &value), RFS_ERR_OK);
	assert_text(key, "aa");
	assert_int_equal(kv_get(&kv, text("c"), &value), RFS_ERR_OK);
	assert_int_equal(kv_next(&kv, &key, &value), RFS_ERR_OK);
	assert_text(key, "b");
	assert_text(value, "2");
	assert_int_equal(kv_next(&kv, &key, &value), RFS_ERR_OK);
	assert_int_equal(kv_next(&kv, &key, &value), RFS_ERR_NOENT);
	assert_int_equal(kv_seek(&kv, text("d"), &key, &value), RFS_ERR_NOENT);
	lmdbkv_end_read(f->env, &kv);
}

static void an_abort_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct bytes value;
	struct kv kv;

	put_one(f, "kept", "1");
	assert_int_equal(lmdbkv_begin_write(f->env, &kv), RFS_ERR_OK);
	kv_put(&kv, text("lost"), text("1"));
	kv_del(&kv, text("kept"));
	lmdbkv_abort(f->env, &kv);
	assert_int_equal(lmdbkv_begin_read(f->env, &kv), RFS_ERR_OK);
	assert_int_equal(kv_get(&kv, text("lost"), &value), RFS_ERR_NOENT);
	assert_int_equal(kv_get(&kv, text("kept"), &value), RFS_ERR_OK);
	lmdbkv_end_read(f->env, &kv);
}

/* The page a view points into is the one LMDB rearranges under a put. */
static void a_view_may_be_put_back_under_other_keys(void **state)
{
	struct fixture *f = *state;
	struct bytes value;
	struct kv kv;
	char key[16];

	assert_int_equal(lmdbkv_begin_write(f->env, &kv), RFS_ERR_OK);
	kv_put(&kv, text("source"), text("the very same value, some length"));
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(kv_get(&kv, text("source"), &value),
				 RFS_ERR_OK);
		snprintf(key, sizeof(key), "k%05d", (i * 7919) % 2000);
		kv_put(&kv, text(key), value);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%05d", i);
		assert_int_equal(kv_get(&kv, text(key), &value), RFS_ERR_OK);
		assert_text(value, "the very same value, some length");
	}
	assert_int_equal(lmdbkv_commit(f->env, &kv), RFS_ERR_OK);
}

static void deleting_what_is_not_there_is_remembered_as_corrupt(void **state)
{
	struct fixture *f = *state;
	struct kv kv;

	assert_int_equal(lmdbkv_begin_write(f->env, &kv), RFS_ERR_OK);
	kv_del(&kv, text("nothing"));
	assert_int_equal(kv.failed, RFS_ERR_CORRUPT);
	lmdbkv_abort(f->env, &kv);
}

static void what_was_committed_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct bytes value;
	struct kv kv;

	put_one(f, "k", "v");
	lmdbkv_close(f->env);
	assert_int_equal(lmdbkv_open(f->path, 64 * MIB, &f->env), RFS_ERR_OK);
	assert_int_equal(lmdbkv_begin_read(f->env, &kv), RFS_ERR_OK);
	assert_int_equal(kv_get(&kv, text("k"), &value), RFS_ERR_OK);
	assert_text(value, "v");
	lmdbkv_end_read(f->env, &kv);
}

static void a_copy_is_a_state_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct lmdbkv *copy;
	struct bytes value;
	char path[160];
	struct kv kv;

	put_one(f, "k", "before");
	snprintf(path, sizeof(path), "%s/copy", f->dir);
	assert_int_equal(lmdbkv_copy(f->env, path), RFS_ERR_OK);
	put_one(f, "k", "after");
	assert_int_equal(lmdbkv_open_readonly(path, &copy), RFS_ERR_OK);
	assert_int_equal(lmdbkv_begin_read(copy, &kv), RFS_ERR_OK);
	assert_int_equal(kv_get(&kv, text("k"), &value), RFS_ERR_OK);
	assert_text(value, "before");
	lmdbkv_end_read(copy, &kv);
	lmdbkv_close(copy);
}

static void the_map_grows_before_it_is_full(void **state)
{
	struct fixture *f = *state;
	static uint8_t value[256 * 1024];
	char key[16];
	struct kv kv;

	for (int i = 0; i < 600; i++) { /* 150 MiB into a map of 64 */
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(lmdbkv_make_room(f->env, 4 * MIB), RFS_ERR_OK);
		assert_int_equal(lmdbkv_begin_write(f->env, &kv), RFS_ERR_OK);
		kv_put(&kv, text(key),
		       (struct bytes){ .data = value, .bytes = sizeof(value) });
		assert_int_equal(kv.failed, RFS_ERR_OK);
		assert_int_equal(lmdbkv_commit(f->env, &kv), RFS_ERR_OK);
	}
}

static void a_file_that_is_no_environment_is_refused(void **state)
{
	struct fixture *f = *state;
	struct lmdbkv *env;
	char path[160];

	snprintf(path, sizeof(path), "%s/junk", f->dir);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 10000; i++)
		fputs("not a database ", file);
	fclose(file);
	assert_int_equal(lmdbkv_open(path, 64 * MIB, &env), RFS_ERR_CORRUPT);
}

int main(void)
{
#define ENV_TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_one, close_one)
	const struct CMUnitTest tests[] = {
		ENV_TEST(keys_come_in_order_from_where_one_seeks),
		ENV_TEST(an_abort_leaves_nothing),
		ENV_TEST(a_view_may_be_put_back_under_other_keys),
		ENV_TEST(deleting_what_is_not_there_is_remembered_as_corrupt),
		ENV_TEST(what_was_committed_is_there_after_reopening),
		ENV_TEST(a_copy_is_a_state_of_its_own),
		ENV_TEST(the_map_grows_before_it_is_full),
		ENV_TEST(a_file_that_is_no_environment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
