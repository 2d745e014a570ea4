/* The note of the newest snapshot, and the check of one received. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raftd/snapfile.h"

static char dir[] = "/tmp/raftfs-snap-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static const struct snapfile_meta some = {
	.at = { .index = 123456789, .term = 7, .stamp = { 6, -5 } },
	.bytes = 1 << 20,
	.sha256 = { 1, 2, 3, [31] = 9 },
};

static void a_note_comes_back(void **state)
{
	struct snapfile_meta got;

	(void)state;
	assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_NOENT);
	assert_int_equal(snapfile_save_meta(path, &some), RFS_ERR_OK);
	assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_OK);
	assert_int_equal(got.at.index, some.at.index);
	assert_int_equal(got.at.term, some.at.term);
	assert_int_equal(got.at.stamp.epoch, 6);
	assert_int_equal(got.at.stamp.ts_ns, -5);
	assert_int_equal(got.bytes, some.bytes);
	assert_memory_equal(got.sha256, some.sha256, sizeof(got.sha256));
}

/* Every member there can be, described at full length. */
static void fill(struct raft_membership *full)
{
	memset(full, 0, sizeof(*full));
	full->index = 77;
	full->last_id = 40;
	full->count = RAFT_NODES_MAX;
	for (uint32_t i = 0; i < RAFT_NODES_MAX; i++) {
		full->members[i].id = 2 * i + 1;
		full->members[i].voter = true;
		full->members[i].about_bytes = RAFT_ABOUT_MAX;
		memset(full->members[i].about, (int)i, RAFT_ABOUT_MAX);
	}
}

static void the_members_at_its_index_come_back(void **state)
{
	static struct raft_membership full, read;
	static struct snapfile_meta meta, got;
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];

	(void)state;
	meta = some;
	fill(&full);
	assert_int_equal(snapfile_set_membership(
				 &meta, image,
				 raft_membership_encode(&full, image)),
			 RFS_ERR_OK);
	assert_int_equal(snapfile_save_meta(path, &meta), RFS_ERR_OK);
	assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_OK);
	snapfile_membership(&got, &read);
	assert_memory_equal(&read, &full, sizeof(read));

	assert_int_equal(snapfile_save_meta(path, &some), RFS_ERR_OK);
	assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_OK);
	snapfile_membership(&got, &read);
	assert_int_equal(read.count, 0);
}

static void what_is_no_membership_is_not_taken(void **state)
{
	static struct snapfile_meta meta;
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX + 1] = { 1, 0, 1 };

	(void)state;
	meta = some;
	assert_int_equal(snapfile_set_membership(&meta, image, 5),
			 RFS_ERR_CORRUPT);
	assert_int_equal(snapfile_set_membership(&meta, image, sizeof(image)),
			 RFS_ERR_CORRUPT);
	assert_int_equal(meta.membership_bytes, 0);
}

static void flip_at(off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void one_bad_copy_of_a_note_is_survived_two_are_not(void **state)
{
	struct snapfile_meta got;

	(void)state;
	for (off_t at = 0; at < 88; at += 7) {
		assert_int_equal(snapfile_save_meta(path, &some), RFS_ERR_OK);
		flip_at(at);
		assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_OK);
		assert_memory_equal(&got, &some, sizeof(some));
		/* It is whole again, so the other one may go next. */
		flip_at(4096 + at);
		assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_OK);
		assert_memory_equal(&got, &some, sizeof(some));
		flip_at(at);
		flip_at(4096 + at);
		assert_int_equal(snapfile_load_meta(path, &got),
				 RFS_ERR_CORRUPT);
	}
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(snapfile_load_meta(path, &got), RFS_ERR_CORRUPT);
}

/* sha256("abc"), FIPS 180-2, appendix B.1. */
static const uint8_t abc_sha256[] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static void what_was_received_is_compared(void **state)
{
	struct snapfile_meta meta = { .bytes = 3 };
	int fd;

	(void)state;
	memcpy(meta.sha256, abc_sha256, sizeof(abc_sha256));
	fd = snapfile_create(path);
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(snapfile_finish(fd, &meta), RFS_ERR_OK);
	meta.bytes = 4;
	assert_int_equal(snapfile_finish(fd, &meta), RFS_ERR_CORRUPT);
	meta.bytes = 3;
	assert_int_equal(pwrite(fd, "b", 1, 0), 1);
	assert_int_equal(snapfile_finish(fd, &meta), RFS_ERR_CORRUPT);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_note_comes_back),
		TEST(the_members_at_its_index_come_back),
		TEST(what_is_no_membership_is_not_taken),
		TEST(one_bad_copy_of_a_note_is_survived_two_are_not),
		TEST(what_was_received_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
