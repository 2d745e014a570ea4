/* The pack store: what was put comes back whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "common/units.h"
#include "storaged/packs.h"
#include "tests/storaged/packload.h"
#include "tests/storaged/scratch.h"

struct fixture {
	char dir[64];
	struct packs *packs;
};

static void fill(uint8_t *data, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(seed * 131 + i * 7 + (i >> 8));
}

static int open_store(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_make(f->dir);
	assert_int_equal(packs_open(f->dir, 64 * KIB, &f->packs), RFS_ERR_OK);
	*state = f;
	return 0;
}

static int close_store(void **state)
{
	struct fixture *f = *state;

	packs_close(f->packs);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	packs_close(f->packs);
	assert_int_equal(packs_open(f->dir, 64 * KIB, &f->packs), RFS_ERR_OK);
}

static void put(struct fixture *f, uint64_t id, uint32_t bytes)
{
	uint8_t data[8192];

	fill(data, bytes, (unsigned)id);
	assert_int_equal(packs_put(f->packs, id, data, bytes), RFS_ERR_OK);
}

static void assert_holds(struct fixture *f, uint64_t id, uint32_t bytes)
{
	uint8_t want[8192];
	uint8_t got[8192];
	uint32_t got_bytes = 0;

	fill(want, bytes, (unsigned)id);
	assert_int_equal(
		packs_load(f->packs, id, got, sizeof(got), &got_bytes),
		RFS_ERR_OK);
	assert_int_equal(got_bytes, bytes);
	assert_memory_equal(got, want, bytes);
}

static enum rfs_err try_get(struct fixture *f, uint64_t id)
{
	uint8_t got[8192];
	uint32_t bytes;

	return packs_load(f->packs, id, got, sizeof(got), &bytes);
}

static void a_record_comes_back_after_reopening(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 300; id++)
		put(f, id, (uint32_t)(id * 13 % 4096 + 1));
	reopen(f);
	for (uint64_t id = 1; id <= 300; id++)
		assert_holds(f, id, (uint32_t)(id * 13 % 4096 + 1));
	assert_int_equal(try_get(f, 301), RFS_ERR_NOENT);
}

static void a_record_that_was_found_is_read_though_it_goes(void **state)
{
	struct fixture *f = *state;
	struct packs_record record;
	uint8_t want[1000];
	uint8_t got[1000];

	put(f, 7, 1000);
	assert_int_equal(packs_find(f->packs, 7, &record), RFS_ERR_OK);
	packs_delete(f->packs, 7);
	assert_int_equal(packs_find(f->packs, 7, &record), RFS_ERR_NOENT);
	fill(want, 1000, 7);
	assert_int_equal(record.bytes, 1000);
	assert_int_equal(packs_read(&record, got), RFS_ERR_OK);
	assert_memory_equal(got, want, 1000);
}

/* Whether the cache lets go of it is the kernel's to say. */
static void what_is_not_in_memory_is_said_to_be_busy_or_is_right(void **state)
{
	struct fixture *f = *state;
	struct packs_record record;
	uint8_t want[1000];
	uint8_t got[1000];
	uint32_t bytes = 0;

	put(f, 7, 1000);
	assert_int_equal(packs_find(f->packs, 7, &record), RFS_ERR_OK);
	fdatasync(record.fd);
	posix_fadvise(record.fd, 0, 0, POSIX_FADV_DONTNEED);
	enum rfs_err err = packs_get(f->packs, 7, got, sizeof(got), &bytes);
	if (err == RFS_ERR_BUSY)
		err = packs_read(&record, got);
	else
		close(record.fd);
	fill(want, 1000, 7);
	assert_int_equal(err, RFS_ERR_OK);
	assert_memory_equal(got, want, 1000);
}

static void a_flipped_byte_is_corrupt_and_a_new_put_heals_it(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put(f, 7, 1000);
	snprintf(path, sizeof(path), "%s/00000001.pack", f->dir);
	scratch_flip(path, 24 + 500);
	assert_int_equal(try_get(f, 7), RFS_ERR_CORRUPT);
	put(f, 7, 1000);
	assert_holds(f, 7, 1000);
}

static void a_torn_tail_costs_only_the_torn_record(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put(f, 1, 1000);
	put(f, 2, 1000);
	snprintf(path, sizeof(path), "%s/00000001.pack", f->dir);
	assert_int_equal(truncate(path, 1024 + 700), 0);
	reopen(f);
	assert_holds(f, 1, 1000);
	assert_int_equal(try_get(f, 2), RFS_ERR_NOENT);
	put(f, 2, 1000);
	assert_holds(f, 2, 1000);
}

static void a_damaged_head_hides_only_its_own_record(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put(f, 1, 1000);
	put(f, 2, 1000);
	snprintf(path, sizeof(path), "%s/00000001.pack", f->dir);
	scratch_flip(path, 5);
	reopen(f);
	assert_int_equal(try_get(f, 1), RFS_ERR_NOENT);
	assert_holds(f, 2, 1000);
}

static void putting_the_same_again_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct packs_usage before;
	struct packs_usage after;

	put(f, 1, 4000);
	packs_usage(f->packs, &before);
	put(f, 1, 4000);
	packs_usage(f->packs, &after);
	assert_int_equal(before.file_bytes, after.file_bytes);
}

static void sync_now(struct fixture *f)
{
	struct packs_sync *sync = packs_sync_begin(f->packs);

	assert_non_null(sync);
	packs_sync_end(f->packs, sync, packs_sync_run(sync));
}

static void compaction_keeps_the_living_and_gives_space_back(void **state)
{
	struct fixture *f = *state;
	struct packs_usage before;
	struct packs_usage after;

	for (uint64_t id = 1; id <= 200; id++)
		put(f, id, 4000);
	packs_usage(f->packs, &before);
	for (uint64_t id = 1; id <= 200; id++)
		if (id % 4 != 0)
			packs_delete(f->packs, id);
	for (int i = 0; i < 1000 && packs_compact(f->packs, 16 * KIB); i++)
		;
	sync_now(f);
	packs_usage(f->packs, &after);
	assert_true(after.file_bytes * 2 < before.file_bytes);
	assert_int_equal(after.records, 50);
	reopen(f);
	for (uint64_t id = 4; id <= 200; id += 4)
		assert_holds(f, id, 4000);
}

/* The copies are not durable before the sync that follows them. */
static void a_compacted_pack_stays_until_a_later_sync(void **state)
{
	struct fixture *f = *state;
	char path[128];

	for (uint64_t id = 1; id <= 40; id++)
		put(f, id, 4000);
	for (uint64_t id = 2; id <= 40; id++)
		packs_delete(f->packs, id);
	snprintf(path, sizeof(path), "%s/00000001.pack", f->dir);
	struct packs_sync *early = packs_sync_begin(f->packs);
	for (int i = 0; i < 1000 && packs_compact(f->packs, 16 * KIB); i++)
		;
	packs_sync_end(f->packs, early, packs_sync_run(early));
	assert_int_equal(access(path, F_OK), 0);
	sync_now(f);
	assert_int_equal(access(path, F_OK), -1);
	assert_holds(f, 1, 4000);
}

static void add_id(void *ctx, uint64_t id)
{
	uint64_t *sum = ctx;

	*sum += id;
}

static void a_walk_in_slices_meets_every_record_once(void **state)
{
	struct fixture *f = *state;
	uint64_t sum = 0;
	size_t slot = 0;

	for (uint64_t id = 1; id <= 3000; id++)
		put(f, id, 16);
	for (uint64_t id = 3; id <= 3000; id += 3)
		packs_delete(f->packs, id);
	do
		slot = packs_walk(f->packs, slot, 100, add_id, &sum);
	while (slot != 0);
	assert_int_equal(sum, 3000 * 3001 / 2 - 3 * (1000 * 1001 / 2));
	for (uint64_t id = 1; id <= 3000; id++)
		assert_int_equal(packs_has(f->packs, id), id % 3 != 0);
}

int main(void)
{
#define STORE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_store, close_store)
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_record_comes_back_after_reopening),
		STORE_TEST(a_record_that_was_found_is_read_though_it_goes),
		STORE_TEST(what_is_not_in_memory_is_said_to_be_busy_or_is_right),
		STORE_TEST(a_flipped_byte_is_corrupt_and_a_new_put_heals_it),
		STORE_TEST(a_torn_tail_costs_only_the_torn_record),
		STORE_TEST(a_damaged_head_hides_only_its_own_record),
		STORE_TEST(putting_the_same_again_writes_nothing),
		STORE_TEST(compaction_keeps_the_living_and_gives_space_back),
		STORE_TEST(a_compacted_pack_stays_until_a_later_sync),
		STORE_TEST(a_walk_in_slices_meets_every_record_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
