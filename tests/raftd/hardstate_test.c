/* Term and vote on disk: what was written comes back, one bad copy costs
 * nothing, two refuse. */
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

#include "raftd/hardstate.h"

static char path[96];

static int setup(void **state)
{
	char dir[] = "/tmp/raftfs-hard-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hardstate", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	*strrchr(path, '/') = '\0';
	return rmdir(path);
}

static void flip_at(off_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void store(const struct hardstate *state)
{
	struct hardstate_file *file;
	struct hardstate old;

	assert_int_equal(hardstate_open(path, &file, &old), RFS_ERR_OK);
	assert_int_equal(hardstate_write(file, state), RFS_ERR_OK);
	hardstate_close(file);
}

static void expect(const struct hardstate *want)
{
	struct hardstate_file *file;
	struct hardstate got;

	assert_int_equal(hardstate_open(path, &file, &got), RFS_ERR_OK);
	hardstate_close(file);
	assert_int_equal(got.term, want->term);
	assert_int_equal(got.voted_for, want->voted_for);
	assert_int_equal(got.supported_term, want->supported_term);
	assert_int_equal(got.floor.index, want->floor.index);
	assert_int_equal(got.floor.term, want->floor.term);
	assert_int_equal(got.node, want->node);
	assert_int_equal(got.log_id, want->log_id);
}

static const struct hardstate some = {
	.log_id = 0x1234567890, .node = 2, .voted_for = 3, .term = 77,
	.supported_term = 76, .floor = { .index = 12, .term = 70 }
};

static void a_new_file_says_nothing(void **state)
{
	const struct hardstate none = { 0 };

	(void)state;
	expect(&none);
	expect(&none);
}

static void what_was_written_comes_back(void **state)
{
	struct hardstate next = some;

	(void)state;
	store(&some);
	expect(&some);
	next.term = 78;
	next.voted_for = 0;
	store(&next);
	expect(&next);
}

static void either_copy_alone_is_enough(void **state)
{
	(void)state;
	store(&some);
	flip_at(20);
	expect(&some);
	flip_at(4096 + 20);
	expect(&some);
}

static void two_bad_copies_are_refused(void **state)
{
	struct hardstate_file *file;
	struct hardstate got;

	(void)state;
	store(&some);
	flip_at(20);
	flip_at(4096 + 20);
	assert_int_equal(hardstate_open(path, &file, &got), RFS_ERR_CORRUPT);
}

static void a_cut_file_is_refused(void **state)
{
	struct hardstate_file *file;
	struct hardstate got;

	(void)state;
	store(&some);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(hardstate_open(path, &file, &got), RFS_ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_says_nothing),
		TEST(what_was_written_comes_back),
		TEST(either_copy_alone_is_enough),
		TEST(two_bad_copies_are_refused),
		TEST(a_cut_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
