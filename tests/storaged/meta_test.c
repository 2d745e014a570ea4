/* The record about the state as a whole, and the one of the version before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/bytes.h"
#include "storaged/core/keys.h"
#include "storaged/core/meta.h"
#include "tests/storaged/memkv.h"

static void it_comes_back_as_it_was_saved(void **state)
{
	struct memkv *memkv = memkv_new();
	const struct meta saved = { .applied_index = 1,
				    .term = 2,
				    .epoch = 3,
				    .ts_ns = 4,
				    .next_ino = 5,
				    .next_chunk = 6,
				    .inode_count = 7,
				    .chunk_count = 8,
				    .chunk_bytes = 9,
				    .session_count = 10,
				    .trash_count = 11,
				    .stale_below = 12 };
	struct meta meta;
	struct kv kv;

	(void)state;
	memkv_begin(memkv, &kv);
	meta_save(&kv, &saved);
	assert_int_equal(meta_load(&kv, &meta), RFS_ERR_OK);
	assert_memory_equal(&meta, &saved, sizeof(meta));
	memkv_commit(memkv);
	memkv_free(memkv);
}

static enum rfs_err load_image(uint32_t version, uint32_t fields,
			       struct meta *meta)
{
	struct memkv *memkv = memkv_new();
	uint8_t image[4 + 13 * 8];
	struct writer w;
	struct key key;
	struct kv kv;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, version);
	for (uint32_t i = 1; i <= fields; i++)
		writer_u64le(&w, i);
	memkv_begin(memkv, &kv);
	kv_put(&kv, key_alone(&key, KEY_META),
	       (struct bytes){ image, writer_bytes(&w) });
	enum rfs_err err = meta_load(&kv, meta);
	memkv_abort(memkv);
	memkv_free(memkv);
	return err;
}

static void one_of_before_knows_of_no_change_of_members(void **state)
{
	struct meta meta;

	(void)state;
	assert_int_equal(load_image(1, 11, &meta), RFS_ERR_OK);
	assert_int_equal(meta.trash_count, 11);
	assert_int_equal(meta.stale_below, 0);
	assert_int_equal(load_image(2, 12, &meta), RFS_ERR_OK);
	assert_int_equal(meta.stale_below, 12);
}

static void another_length_or_version_is_not_believed(void **state)
{
	struct meta meta;

	(void)state;
	assert_int_equal(load_image(1, 12, &meta), RFS_ERR_CORRUPT);
	assert_int_equal(load_image(2, 11, &meta), RFS_ERR_CORRUPT);
	assert_int_equal(load_image(0, 12, &meta), RFS_ERR_CORRUPT);
	assert_int_equal(load_image(3, 13, &meta), RFS_ERR_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_was_saved),
		cmocka_unit_test(one_of_before_knows_of_no_change_of_members),
		cmocka_unit_test(another_length_or_version_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
