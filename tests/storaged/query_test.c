/* Reading: listings that survive change, maps of files, the digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/prng.h"
#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

struct listing {
	char names[4096];
	uint64_t cookie;
	int room; /* names still wanted */
};

static bool list_name(void *ctx, const struct query_name *name)
{
	struct listing *list = ctx;
	size_t at = strlen(list->names);

	if (list->room == 0)
		return false;
	list->room--;
	assert_true(name->cookie > list->cookie);
	assert_true(name->cookie >= QUERY_COOKIE_FIRST);
	list->cookie = name->cookie;
	memcpy(list->names + at, name->name.data, name->name.bytes);
	strcpy(list->names + at + name->name.bytes, " ");
	return true;
}

/* Up to `room` more names after the last; true at the end. */
static bool list_more(struct testfs *fs, uint64_t dir, struct listing *list,
		      int room)
{
	struct kv kv = testfs_begin_read(fs);
	bool end;

	list->room = room;
	assert_int_equal(query_readdir(&kv, dir, list->cookie, list_name, list,
				       &end),
			 RFS_ERR_OK);
	testfs_end_read(fs);
	return end;
}

static void make(struct testfs *fs, const char *name)
{
	assert_int_equal(testfs_make(fs, COMMAND_CREATE, ROOT, name, 0644,
				     NULL),
			 RFS_ERR_OK);
}

static void names_are_listed_in_the_order_they_were_made(void **state)
{
	struct testfs *fs = *state;
	struct listing list = { .cookie = 0 };

	assert_true(list_more(fs, ROOT, &list, 10));
	assert_string_equal(list.names, "");
	make(fs, "b");
	make(fs, "a");
	make(fs, "c");
	assert_false(list_more(fs, ROOT, &list, 2));
	assert_string_equal(list.names, "b a ");
	assert_true(list_more(fs, ROOT, &list, 10));
	assert_string_equal(list.names, "b a c ");
	list.cookie = UINT64_MAX;
	assert_true(list_more(fs, ROOT, &list, 10));
	assert_string_equal(list.names, "b a c ");
}

static void a_listing_goes_on_whatever_happens_meanwhile(void **state)
{
	struct testfs *fs = *state;
	struct listing list = { .cookie = 0 };

	make(fs, "a");
	make(fs, "b");
	make(fs, "c");
	make(fs, "d");
	list_more(fs, ROOT, &list, 2);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "b"); /* where it stands */
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "a");
	make(fs, "e");
	make(fs, "a");
	testfs_rename(fs, ROOT, "e", ROOT, "d", 0);
	assert_true(list_more(fs, ROOT, &list, 10));
	assert_string_equal(list.names, "a b c d a ");
}

static bool list_type(void *ctx, const struct query_name *name)
{
	uint32_t *types = ctx;

	*types = *types << 4 | name->mode >> 12;
	return true;
}

static void a_listing_tells_the_type_of_each(void **state)
{
	struct testfs *fs = *state;
	uint32_t types = 0;
	bool end;

	make(fs, "f");
	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, NULL);
	testfs_symlink(fs, ROOT, "l", "x");
	testfs_rename(fs, ROOT, "f", ROOT, "d", COMMAND_EXCHANGE);
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_readdir(&kv, ROOT, 0, list_type, &types, &end),
			 RFS_ERR_OK);
	assert_int_equal(types, 0x48a); /* f is the directory now */
	assert_int_equal(query_readdir(&kv, 4711, 0, list_type, &types, &end),
			 RFS_ERR_NOENT);
	testfs_end_read(fs);
}

static void listing_a_file_is_refused(void **state)
{
	struct testfs *fs = *state;
	uint32_t types;
	uint64_t ino;
	bool end;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_readdir(&kv, ino, 0, list_type, &types, &end),
			 RFS_ERR_NOTDIR);
	testfs_end_read(fs);
}

/* While names come and go at random, a listing in small steps gives each name
 * that was there all along exactly once. */
static void what_stays_is_listed_exactly_once(void **state)
{
	struct testfs *fs = *state;
	struct listing list = { .cookie = 0 };
	struct prng prng;
	char name[16];

	prng_seed(&prng, 7);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%c%02d", i % 2 ? 's' : 'v', i);
		make(fs, name);
	}
	while (!list_more(fs, ROOT, &list, 3)) {
		for (int i = 0; i < 5; i++) {
			int n = (int)prng_below(&prng, 20) * 2;

			snprintf(name, sizeof(name), "v%02d", n);
			if (prng_below(&prng, 2))
				testfs_remove(fs, COMMAND_UNLINK, ROOT, name);
			else
				testfs_rename(fs, ROOT, name, ROOT, "v00", 0);
		}
		list.room = 0;
	}
	for (int i = 1; i < 40; i += 2) {
		const char *first;

		snprintf(name, sizeof(name), "s%02d ", i);
		first = strstr(list.names, name);
		assert_non_null(first);
		assert_null(strstr(first + 1, name));
	}
}

/* ---- maps ------------------------------------------------------------ */

struct stretch {
	uint64_t offset, length;
	bool hole;
};

struct stretches {
	struct stretch list[16];
	size_t count;
	size_t most;
};

static bool add_stretch(void *ctx, const struct query_extent *extent)
{
	struct stretches *all = ctx;

	all->list[all->count++] = (struct stretch){
		extent->offset, extent->length, extent->chunk == 0
	};
	return all->count < all->most;
}

static enum rfs_err map(struct testfs *fs, uint64_t ino, uint64_t offset,
			uint64_t length, struct stretches *all)
{
	struct kv kv = testfs_begin_read(fs);
	enum rfs_err err;

	all->count = 0;
	if (all->most == 0)
		all->most = 16;
	err = query_map(&kv, ino, offset, length, add_stretch, all);
	testfs_end_read(fs);
	return err;
}

static void expect_stretch(const struct stretches *all, size_t index,
			   uint64_t offset, uint64_t length, bool hole)
{
	assert_true(index < all->count);
	assert_int_equal(all->list[index].offset, offset);
	assert_int_equal(all->list[index].length, length);
	assert_int_equal(all->list[index].hole, hole);
}

static void a_map_covers_the_range_and_ends_with_the_file(void **state)
{
	struct testfs *fs = *state;
	struct stretches all = { .count = 0 };
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	testfs_write(fs, ino, 10, "0123456789", 10);
	testfs_truncate(fs, ino, 30);
	assert_int_equal(map(fs, ino, 0, UINT64_MAX, &all), RFS_ERR_OK);
	assert_int_equal(all.count, 3);
	expect_stretch(&all, 0, 0, 10, true);
	expect_stretch(&all, 1, 10, 10, false);
	expect_stretch(&all, 2, 20, 10, true);
	map(fs, ino, 12, 3, &all);
	assert_int_equal(all.count, 1);
	expect_stretch(&all, 0, 12, 3, false);
	map(fs, ino, 25, 100, &all);
	assert_int_equal(all.count, 1);
	expect_stretch(&all, 0, 25, 5, true);
	map(fs, ino, 30, 10, &all);
	assert_int_equal(all.count, 0);
	map(fs, ino, UINT64_MAX, UINT64_MAX, &all);
	assert_int_equal(all.count, 0);
	map(fs, ino, 3, 0, &all);
	assert_int_equal(all.count, 0);
	all.most = 2;
	assert_int_equal(map(fs, ino, 0, 30, &all), RFS_ERR_OK);
	assert_int_equal(all.count, 2);
}

static void only_regular_files_have_maps(void **state)
{
	struct testfs *fs = *state;
	struct stretches all = { .count = 0 };

	assert_int_equal(map(fs, ROOT, 0, 1, &all), RFS_ERR_ISDIR);
	testfs_symlink(fs, ROOT, "l", "x");
	assert_int_equal(map(fs, fs->result.attr.ino, 0, 1, &all),
			 RFS_ERR_INVALID);
	assert_int_equal(map(fs, 4711, 0, 1, &all), RFS_ERR_NOENT);
}

/* ---- chunks and totals ----------------------------------------------- */

static bool sum_chunk(void *ctx, uint64_t chunk,
		      const struct query_chunk *chunk_state)
{
	uint64_t *sum = ctx;

	assert_int_equal(chunk_state->state, QUERY_CHUNK_USED);
	assert_int_equal(chunk_state->refs, 1);
	assert_true(chunk & STORE_CHUNK_INLINE);
	*sum += chunk_state->bytes;
	return true;
}

static void totals_are_the_sums_of_what_is_there(void **state)
{
	struct testfs *fs = *state;
	struct query_state totals;
	uint64_t ino, sum = 0;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	for (int i = 0; i < 5; i++)
		testfs_append(fs, ino, "abcd", 4);
	totals = testfs_state(fs);
	assert_int_equal(totals.chunk_count, 5);
	assert_int_equal(totals.chunk_bytes, 20);
	assert_int_equal(totals.inode_count, 2);
	assert_int_equal(totals.applied_index, fs->index);
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_chunks(&kv, 0, sum_chunk, &sum), RFS_ERR_OK);
	testfs_end_read(fs);
	assert_int_equal(sum, 20);
}

/* ---- digest ---------------------------------------------------------- */

static void crc_update(void *ctx, const void *data, size_t bytes)
{
	uint32_t *crc = ctx;

	*crc = crc32c(*crc, data, bytes);
}

static uint32_t digest(struct testfs *fs, int which)
{
	uint32_t crc = 0;
	struct kv kv;

	memkv_begin(fs->memkv[which], &kv);
	assert_int_equal(query_digest(&kv, crc_update, &crc), RFS_ERR_OK);
	memkv_commit(fs->memkv[which]);
	return crc;
}

static void put_raw(struct testfs *fs, int which, const char *key,
		    const char *value)
{
	struct kv kv;

	memkv_begin(fs->memkv[which], &kv);
	kv_put(&kv, testfs_text(key), testfs_text(value));
	assert_int_equal(kv.failed, RFS_ERR_OK);
	memkv_commit(fs->memkv[which]);
}

static void del_raw(struct testfs *fs, int which, const char *key)
{
	struct kv kv;

	memkv_begin(fs->memkv[which], &kv);
	kv_del(&kv, testfs_text(key));
	memkv_commit(fs->memkv[which]);
}

static void the_digest_sees_every_byte_but_the_hosts_own(void **state)
{
	struct testfs *fs = *state;

	make(fs, "a");
	assert_int_equal(digest(fs, 0), digest(fs, 1));
	put_raw(fs, 1, "\xf0host", "boot id");
	assert_int_equal(digest(fs, 0), digest(fs, 1));
	del_raw(fs, 1, "\xf0host");
	put_raw(fs, 1, "zz", "");
	assert_int_not_equal(digest(fs, 0), digest(fs, 1));
	put_raw(fs, 0, "z", "z");
	assert_int_not_equal(digest(fs, 0), digest(fs, 1));
	del_raw(fs, 0, "z");
	del_raw(fs, 1, "zz");
	assert_int_equal(digest(fs, 0), digest(fs, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_listed_in_the_order_they_were_made),
		TEST(a_listing_goes_on_whatever_happens_meanwhile),
		TEST(a_listing_tells_the_type_of_each),
		TEST(listing_a_file_is_refused),
		TEST(what_stays_is_listed_exactly_once),
		TEST(a_map_covers_the_range_and_ends_with_the_file),
		TEST(only_regular_files_have_maps),
		TEST(totals_are_the_sums_of_what_is_there),
		TEST(the_digest_sees_every_byte_but_the_hosts_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
