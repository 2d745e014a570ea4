/* The chunk store: whole and verified, or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "storaged/chunks.h"
#include "tests/storaged/scratch.h"

#define BYTES 300001u

struct fixture {
	char dir[64];
	struct chunks *chunks;
	uint8_t data[BYTES];
	uint8_t got[BYTES];
};

static int open_store(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_make(f->dir);
	assert_int_equal(chunks_open(f->dir, &f->chunks), RFS_ERR_OK);
	for (size_t i = 0; i < BYTES; i++)
		f->data[i] = (uint8_t)(i * 31 + (i >> 12));
	*state = f;
	return 0;
}

static int close_store(void **state)
{
	struct fixture *f = *state;

	chunks_close(f->chunks);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static struct chunk_put put(struct fixture *f, uint64_t id)
{
	struct chunk_put one = { .id = id, .data = f->data, .bytes = BYTES };
	struct chunk_put *const all[] = { &one };

	chunks_put(f->chunks, all, 1);
	return one;
}

static void path_of(struct fixture *f, uint64_t id, char path[128])
{
	snprintf(path, 128, "%s/%02x/%03x/%016lx.chunk", f->dir,
		 (unsigned)(id >> 20 & 0xff), (unsigned)(id >> 8 & 0xfff), id);
}

static void any_stretch_of_a_chunk_can_be_read(void **state)
{
	struct fixture *f = *state;
	const uint32_t offsets[] = { 0, 1, 4095, 4096, 299999 };

	assert_int_equal(put(f, 42).err, RFS_ERR_OK);
	for (size_t i = 0; i < 5; i++)
		for (uint32_t bytes = 0; bytes <= BYTES - offsets[i];
		     bytes = bytes * 3 + 1) {
			assert_int_equal(chunks_read(f->chunks, 42, NULL,
						     offsets[i], bytes, f->got),
					 RFS_ERR_OK);
			assert_memory_equal(f->got, f->data + offsets[i],
					    bytes);
		}
	assert_int_equal(chunks_read(f->chunks, 42, NULL, 1, BYTES, f->got),
			 RFS_ERR_CORRUPT);
}

static void a_batch_over_many_directories_is_stored(void **state)
{
	struct fixture *f = *state;
	struct chunk_put puts[40];
	struct chunk_put *all[40];

	for (uint32_t i = 0; i < 40; i++) {
		puts[i] = (struct chunk_put){ .id = i * 100,
					      .data = f->data + i,
					      .bytes = 5000 };
		all[i] = &puts[i];
	}
	chunks_put(f->chunks, all, 40);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(puts[i].err, RFS_ERR_OK);
		assert_int_equal(chunks_read(f->chunks, i * 100, puts[i].sha256,
					     0, 5000, f->got),
				 RFS_ERR_OK);
		assert_memory_equal(f->got, f->data + i, 5000);
	}
}

static void a_flip_anywhere_is_seen_and_only_where_it_is(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put(f, 9);
	path_of(f, 9, path);
	scratch_flip(path, 4096 + 10 * 4096 + 17);
	assert_int_equal(chunks_read(f->chunks, 9, NULL, 40960, 1, f->got),
			 RFS_ERR_CORRUPT);
	assert_int_equal(chunks_read(f->chunks, 9, NULL, 0, 40960, f->got),
			 RFS_ERR_OK);
	scratch_flip(path, 70); /* the table of sums */
	assert_int_equal(chunks_read(f->chunks, 9, NULL, 0, 1, f->got),
			 RFS_ERR_CORRUPT);
}

static void another_hash_than_expected_is_corrupt(void **state)
{
	struct fixture *f = *state;
	struct chunk_put stored = put(f, 9);

	stored.sha256[3] ^= 1;
	assert_int_equal(
		chunks_read(f->chunks, 9, stored.sha256, 0, 1, f->got),
		RFS_ERR_CORRUPT);
}

static void a_chunk_under_another_chunks_name_is_corrupt(void **state)
{
	struct fixture *f = *state;
	char from[128];
	char to[128];

	put(f, 9);
	path_of(f, 9, from);
	path_of(f, 10, to);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(chunks_read(f->chunks, 10, NULL, 0, 1, f->got),
			 RFS_ERR_CORRUPT);
}

static void the_same_again_is_fine_and_other_content_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f, 9).err, RFS_ERR_OK);
	assert_int_equal(put(f, 9).err, RFS_ERR_OK);
	f->data[0] ^= 1;
	assert_int_equal(put(f, 9).err, RFS_ERR_EXIST);
	f->data[0] ^= 1;
	assert_int_equal(chunks_read(f->chunks, 9, NULL, 0, BYTES, f->got),
			 RFS_ERR_OK);
	assert_memory_equal(f->got, f->data, BYTES);
}

static void putting_again_heals_a_damaged_chunk(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put(f, 9);
	path_of(f, 9, path);
	scratch_flip(path, 5000);
	assert_int_equal(put(f, 9).err, RFS_ERR_OK);
	assert_int_equal(chunks_read(f->chunks, 9, NULL, 0, BYTES, f->got),
			 RFS_ERR_OK);
	assert_memory_equal(f->got, f->data, BYTES);
}

static bool count_one(void *ctx, uint64_t id, uint64_t file_bytes)
{
	uint64_t *sum = ctx;

	assert_int_equal(file_bytes, 4096 + BYTES);
	*sum += id;
	return true;
}

static void a_walk_meets_every_chunk_and_no_leftover(void **state)
{
	struct fixture *f = *state;
	uint64_t sum = 0;
	char path[128];

	put(f, 3);
	put(f, 70000);
	put(f, UINT64_C(1) << 40);
	chunks_delete(f->chunks, 3);
	assert_false(chunks_has(f->chunks, 3));
	chunks_close(f->chunks);
	snprintf(path, sizeof(path), "%s/tmp/0000000000000005.0", f->dir);
	fclose(fopen(path, "w"));
	assert_int_equal(chunks_open(f->dir, &f->chunks), RFS_ERR_OK);
	assert_int_equal(access(path, F_OK), -1);
	chunks_each(f->chunks, count_one, &sum);
	assert_int_equal(sum, 70000 + (UINT64_C(1) << 40));
}

int main(void)
{
#define STORE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_store, close_store)
	const struct CMUnitTest tests[] = {
		STORE_TEST(any_stretch_of_a_chunk_can_be_read),
		STORE_TEST(a_batch_over_many_directories_is_stored),
		STORE_TEST(a_flip_anywhere_is_seen_and_only_where_it_is),
		STORE_TEST(another_hash_than_expected_is_corrupt),
		STORE_TEST(a_chunk_under_another_chunks_name_is_corrupt),
		STORE_TEST(the_same_again_is_fine_and_other_content_is_refused),
		STORE_TEST(putting_again_heals_a_damaged_chunk),
		STORE_TEST(a_walk_meets_every_chunk_and_no_leftover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
