/* Extents against a flat array of bytes, and chunks counted exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "storaged/core/chunkmap.h"
#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static uint64_t make_file(struct testfs *fs, const char *name)
{
	uint64_t ino = 0;

	assert_int_equal(testfs_make(fs, COMMAND_CREATE, ROOT, name, 0644,
				     &ino),
			 RFS_ERR_OK);
	return ino;
}

static void expect(struct testfs *fs, uint64_t ino, const char *text)
{
	char got[256];
	size_t bytes = testfs_read(fs, ino, 0, got, sizeof(got));

	assert_int_equal(bytes, strlen(text));
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(got[i], text[i] == '.' ? 0 : text[i]);
}

static uint64_t allocated(struct testfs *fs, uint64_t ino)
{
	struct inode attr;

	assert_int_equal(testfs_getattr(fs, ino, &attr), RFS_ERR_OK);
	return attr.allocated_bytes;
}

static uint32_t refs(struct testfs *fs, uint64_t chunk)
{
	struct kv kv = testfs_begin_read(fs);
	struct query_chunk answer;

	assert_int_equal(query_chunk(&kv, chunk, &answer), RFS_ERR_OK);
	testfs_end_read(fs);
	return answer.refs;
}

static enum rfs_err punch(struct testfs *fs, uint64_t ino, uint64_t offset,
			  uint64_t length, uint32_t flags)
{
	struct command command = { .op = COMMAND_FALLOCATE,
				   .ino = ino,
				   .offset = offset,
				   .length = length,
				   .flags = flags };

	return testfs_apply(fs, &command);
}

/* A dot is a zero. */
static void writes_lie_over_what_was_there(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	testfs_write(fs, ino, 0, "aaaaaaaaaa", 10);
	uint64_t first = STORE_CHUNK_INLINE | fs->index << 8;

	testfs_write(fs, ino, 3, "bbb", 3);
	expect(fs, ino, "aaabbbaaaa");
	assert_int_equal(refs(fs, first), 2);
	testfs_write(fs, ino, 0, "ccc", 3);
	expect(fs, ino, "cccbbbaaaa");
	assert_int_equal(refs(fs, first), 1);
	testfs_write(fs, ino, 8, "dddd", 4);
	expect(fs, ino, "cccbbbaadddd");
	testfs_write(fs, ino, 2, "eeeeee", 6);
	expect(fs, ino, "cceeeeeedddd");
	assert_int_equal(fs->freed_count, 2); /* a's rest and b */
	testfs_write(fs, ino, 0, "ffffffffffff", 12);
	expect(fs, ino, "ffffffffffff");
	assert_int_equal(fs->freed_count, 3);
	assert_int_equal(allocated(fs, ino), 12);
	assert_int_equal(testfs_state(fs).chunk_count, 1);
}

static void a_gap_reads_as_zeros(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	testfs_write(fs, ino, 5, "x", 1);
	expect(fs, ino, ".....x");
	assert_int_equal(allocated(fs, ino), 1);
	testfs_truncate(fs, ino, 8);
	expect(fs, ino, ".....x..");
	testfs_write(fs, ino, 1, "yy", 2);
	expect(fs, ino, ".yy..x..");
}

static void appending_decides_the_offset_at_apply(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	testfs_append(fs, ino, "one", 3);
	assert_int_equal(fs->result.value, 0);
	testfs_append(fs, ino, "two", 3);
	assert_int_equal(fs->result.value, 3);
	assert_int_equal(fs->result.attr.size_bytes, 6);
	expect(fs, ino, "onetwo");
}

static void truncating_cuts_and_growing_shows_zeros(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	testfs_write(fs, ino, 0, "abcdef", 6);
	testfs_truncate(fs, ino, 3);
	assert_int_equal(fs->result.attr.mtime_ns, fs->ts_ns);
	expect(fs, ino, "abc");
	testfs_truncate(fs, ino, 6);
	expect(fs, ino, "abc...");
	testfs_truncate(fs, ino, 0);
	assert_int_equal(fs->freed_count, 1);
	expect(fs, ino, "");
	assert_int_equal(allocated(fs, ino), 0);
}

static void punching_makes_holes_and_keeps_the_size(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	testfs_write(fs, ino, 0, "abcdefgh", 8);
	assert_int_equal(punch(fs, ino, 2, 3,
			       COMMAND_PUNCH | COMMAND_KEEP_SIZE),
			 RFS_ERR_OK);
	expect(fs, ino, "ab...fgh");
	assert_int_equal(punch(fs, ino, 6, 100,
			       COMMAND_PUNCH | COMMAND_KEEP_SIZE),
			 RFS_ERR_OK);
	expect(fs, ino, "ab...f..");
	assert_int_equal(punch(fs, ino, 0, 1, COMMAND_ZERO), RFS_ERR_OK);
	assert_int_equal(punch(fs, ino, 7, 3, COMMAND_ZERO), RFS_ERR_OK);
	expect(fs, ino, ".b...f....");
	assert_int_equal(punch(fs, ino, 0, 12, COMMAND_KEEP_SIZE), RFS_ERR_OK);
	expect(fs, ino, ".b...f....");
	assert_int_equal(punch(fs, ino, 0, 12, 0), RFS_ERR_OK);
	expect(fs, ino, ".b...f......");
	assert_int_equal(allocated(fs, ino), 2);
}

static void chunks_stored_beforehand_are_laid_end_to_end(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");
	struct command write = { .op = COMMAND_WRITE, .ino = ino, .offset = 2 };

	testfs_pieces(fs, &write, "0123456789", 10, 4);
	assert_int_equal(write.piece_count, 3);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	expect(fs, ino, "..0123456789");
	testfs_write(fs, ino, 3, "xx", 2);
	expect(fs, ino, "..0xx3456789");
	assert_int_equal(refs(fs, write.pieces[0].chunk), 2);
}

static void a_chunk_of_no_grant_is_refused_and_may_be_tried_anew(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");
	struct command write = { .op = COMMAND_WRITE,
				 .ino = ino,
				 .piece_count = 1,
				 .pieces = { { .chunk = 4711, .bytes = 3 } } };

	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_BUSY);
	testfs_pieces(fs, &write, "abc", 3, 3);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_false(fs->result.duplicate);
	expect(fs, ino, "abc");
}

static void a_chunk_once_freed_cannot_be_named_again(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");
	struct command write = { .op = COMMAND_WRITE, .ino = ino };

	testfs_pieces(fs, &write, "abc", 3, 3);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	testfs_truncate(fs, ino, 0);
	assert_int_equal(fs->freed_count, 1);
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_BUSY);
}

static void a_chunk_in_use_may_be_shared_if_it_is_what_it_claims(void **state)
{
	struct testfs *fs = *state;
	uint64_t f = make_file(fs, "f"), g = make_file(fs, "g");
	struct command write = { .op = COMMAND_WRITE, .ino = f };

	testfs_pieces(fs, &write, "abcdef", 6, 6);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	write.seq = 0;
	write.ino = g;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_int_equal(refs(fs, write.pieces[0].chunk), 2);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(fs->freed_count, 0);
	expect(fs, g, "abcdef");

	write.seq = 0;
	write.pieces[0].sha256[0] ^= 1;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_INVALID);
	write.seq = 0;
	write.pieces[0].sha256[0] ^= 1;
	write.pieces[0].bytes = 5;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_INVALID);
}

/* The last extent that names the chunk is the one being replaced. */
static void a_chunk_may_replace_itself(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");
	struct command write = { .op = COMMAND_WRITE, .ino = ino };
	struct command put = { .op = COMMAND_PUT,
			       .ino = ROOT,
			       .name = testfs_text("f") };

	testfs_pieces(fs, &write, "abcdef", 6, 6);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_int_equal(fs->freed_count, 0);
	put.piece_count = 1;
	put.pieces[0] = write.pieces[0];
	assert_int_equal(testfs_apply(fs, &put), RFS_ERR_OK);
	assert_int_equal(fs->freed_count, 0);
	assert_int_equal(refs(fs, put.pieces[0].chunk), 1);
	expect(fs, ino, "abcdef");
}

static void content_made_from_an_old_version_is_refused(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");
	struct command write = { .op = COMMAND_WRITE, .ino = ino };

	testfs_write(fs, ino, 0, "abc", 3);
	write.base_version = fs->index;
	write.data = testfs_text("xyz");
	testfs_sha256("xyz", 3, write.sha256);
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	expect(fs, ino, "xyz");
	write.seq = 0;
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_BUSY);
}

static void a_file_ends_where_sizes_do(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino = make_file(fs, "f");

	assert_int_equal(testfs_write(fs, ino, INODE_SIZE_MAX - 1, "x", 1),
			 RFS_ERR_OK);
	assert_int_equal(fs->result.attr.size_bytes, INODE_SIZE_MAX);
	assert_int_equal(testfs_append(fs, ino, "y", 1), RFS_ERR_FBIG);
	assert_int_equal(testfs_write(fs, ino, INODE_SIZE_MAX, "x", 1),
			 RFS_ERR_FBIG);
	assert_int_equal(testfs_truncate(fs, ino, 0), RFS_ERR_OK);
}

static void directories_hold_no_data(void **state)
{
	struct testfs *fs = *state;

	assert_int_equal(testfs_write(fs, ROOT, 0, "x", 1), RFS_ERR_ISDIR);
	assert_int_equal(testfs_truncate(fs, ROOT, 0), RFS_ERR_ISDIR);
	assert_int_equal(punch(fs, ROOT, 0, 1, 0), RFS_ERR_ISDIR);
	assert_int_equal(testfs_write(fs, 4711, 0, "x", 1), RFS_ERR_NOENT);
}

/* 2000 extents: more than one entry may take apart. */
static void a_long_file_is_taken_apart_a_little_per_entry(void **state)
{
	struct testfs *fs = *state;
	struct command noop = { .op = COMMAND_NOOP };
	uint64_t ino = make_file(fs, "f");
	uint64_t freed, most = 0;
	int entries = 0;

	for (int i = 0; i < 2000; i++)
		testfs_append(fs, ino, "x", 1);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	freed = fs->freed_count;
	assert_int_equal(freed, CHUNKMAP_DISCARD_MAX + CHUNKMAP_REAP_BUSY);
	make_file(fs, "g");
	assert_int_equal(fs->freed_count, CHUNKMAP_REAP_BUSY);
	freed += fs->freed_count;
	assert_int_equal(testfs_state(fs).trash_count, 1);
	assert_int_equal(testfs_state(fs).inode_count, 2);
	testfs_check(fs);
	for (; testfs_state(fs).trash_count; entries++) {
		testfs_apply(fs, &noop);
		freed += fs->freed_count;
		if (fs->freed_count > most)
			most = fs->freed_count;
	}
	assert_int_equal(freed, 2000);
	assert_int_equal(most, CHUNKMAP_REAP_IDLE);
	assert_true(entries >= 3);
	assert_int_equal(testfs_state(fs).chunk_count, 0);
}

static void a_long_file_emptied_can_be_written_at_once(void **state)
{
	struct testfs *fs = *state;
	struct command noop = { .op = COMMAND_NOOP };
	uint64_t ino = make_file(fs, "f");

	for (int i = 0; i < 600; i++)
		testfs_append(fs, ino, "x", 1);
	testfs_truncate(fs, ino, 0);
	assert_int_equal(testfs_state(fs).trash_count, 1);
	testfs_write(fs, ino, 1, "new", 3);
	expect(fs, ino, ".new");
	while (testfs_state(fs).trash_count)
		testfs_apply(fs, &noop);
	expect(fs, ino, ".new");
	assert_int_equal(testfs_state(fs).chunk_count, 1);
}

/* ---- against a flat array -------------------------------------------- */

#define FLAT_BYTES 3000

struct flat {
	uint8_t data[FLAT_BYTES];
	size_t size;
};

static void flat_write(struct flat *flat, size_t offset, const uint8_t *data,
		       size_t bytes)
{
	if (bytes == 0)
		return;
	if (offset > flat->size)
		memset(flat->data + flat->size, 0, offset - flat->size);
	memcpy(flat->data + offset, data, bytes);
	if (offset + bytes > flat->size)
		flat->size = offset + bytes;
}

static void flat_truncate(struct flat *flat, size_t size)
{
	if (size > flat->size)
		memset(flat->data + flat->size, 0, size - flat->size);
	flat->size = size;
}

static void flat_zero(struct flat *flat, size_t offset, size_t bytes, bool keep)
{
	for (size_t i = offset; i < offset + bytes && i < flat->size; i++)
		flat->data[i] = 0;
	if (!keep && offset + bytes > flat->size)
		flat_truncate(flat, offset + bytes);
}

static void random_write(struct testfs *fs, struct prng *prng, uint64_t ino,
			 struct flat *flat)
{
	struct command write = { .op = COMMAND_WRITE, .ino = ino };
	uint8_t data[400];
	size_t bytes = prng_below(prng, sizeof(data));
	size_t offset = prng_below(prng, FLAT_BYTES - bytes);

	memset(data, (int)(1 + prng_below(prng, 255)), sizeof(data));
	for (size_t i = 0; i < bytes; i += 7)
		data[i] = (uint8_t)prng_next(prng);
	write.offset = offset;
	if (flat->size + bytes <= FLAT_BYTES && prng_below(prng, 4) == 0) {
		write.flags = COMMAND_APPEND;
		offset = flat->size;
	}
	if (prng_below(prng, 2)) {
		testfs_pieces(fs, &write, data, bytes,
			      1 + prng_below(prng, 200) + bytes / 60);
	} else {
		write.data = (struct bytes){ data, bytes };
		testfs_sha256(data, bytes, write.sha256);
	}
	assert_int_equal(testfs_apply(fs, &write), RFS_ERR_OK);
	assert_int_equal(fs->result.value, offset);
	flat_write(flat, offset, data, bytes);
}

static void random_change(struct testfs *fs, struct prng *prng, uint64_t ino,
			  struct flat *flat)
{
	size_t offset = prng_below(prng, FLAT_BYTES - 1);
	size_t bytes = 1 + prng_below(prng, FLAT_BYTES - offset - 1);

	switch (prng_below(prng, 8)) {
	case 0:
		assert_int_equal(testfs_truncate(fs, ino, offset), RFS_ERR_OK);
		flat_truncate(flat, offset);
		return;
	case 1:
		punch(fs, ino, offset, bytes, COMMAND_ZERO);
		flat_zero(flat, offset, bytes, false);
		return;
	case 2:
		punch(fs, ino, offset, bytes % 300 + 1,
		      COMMAND_PUNCH | COMMAND_KEEP_SIZE);
		flat_zero(flat, offset, bytes % 300 + 1, true);
		return;
	default:
		random_write(fs, prng, ino, flat);
	}
}

static void compare(struct testfs *fs, struct prng *prng, uint64_t ino,
		    const struct flat *flat)
{
	uint8_t got[FLAT_BYTES + 10];
	size_t offset = prng_below(prng, FLAT_BYTES);
	size_t bytes = prng_below(prng, FLAT_BYTES);
	size_t left = offset < flat->size ? flat->size - offset : 0;

	assert_int_equal(testfs_read(fs, ino, 0, got, sizeof(got)), flat->size);
	assert_memory_equal(got, flat->data, flat->size);
	if (bytes > left)
		bytes = left;
	assert_int_equal(testfs_read(fs, ino, offset, got, bytes), bytes);
	assert_memory_equal(got, flat->data + offset, bytes);
}

static void random_changes_match_a_flat_array(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct testfs *fs = testfs_new();
		struct flat flats[2] = { { .size = 0 } };
		uint64_t inos[2] = { make_file(fs, "a"), make_file(fs, "b") };
		struct prng prng;

		print_message("seed %d\n", (int)seed);
		prng_seed(&prng, seed);
		for (int step = 0; step < 150; step++) {
			size_t which = prng_below(&prng, 2);

			random_change(fs, &prng, inos[which], &flats[which]);
			compare(fs, &prng, inos[which], &flats[which]);
			if (step % 10 == 0)
				testfs_check(fs);
		}
		testfs_free(fs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_lie_over_what_was_there),
		TEST(a_gap_reads_as_zeros),
		TEST(appending_decides_the_offset_at_apply),
		TEST(truncating_cuts_and_growing_shows_zeros),
		TEST(punching_makes_holes_and_keeps_the_size),
		TEST(chunks_stored_beforehand_are_laid_end_to_end),
		TEST(a_chunk_of_no_grant_is_refused_and_may_be_tried_anew),
		TEST(a_chunk_once_freed_cannot_be_named_again),
		TEST(a_chunk_in_use_may_be_shared_if_it_is_what_it_claims),
		TEST(a_chunk_may_replace_itself),
		TEST(content_made_from_an_old_version_is_refused),
		TEST(a_file_ends_where_sizes_do),
		TEST(directories_hold_no_data),
		TEST(a_long_file_is_taken_apart_a_little_per_entry),
		TEST(a_long_file_emptied_can_be_written_at_once),
		cmocka_unit_test(random_changes_match_a_flat_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
