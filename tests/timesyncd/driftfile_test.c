/* The drift file: comes back as it went, and nonsense is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "timesyncd/driftfile.h"

static char dir[32];
static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/driftfile.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/drift", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void write_file(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void what_was_saved_is_loaded(void **state)
{
	(void)state;
	const struct driftfile_row in[] = { { 2, -12345 }, { 3, 77 } };
	struct driftfile_row out[9];

	assert_int_equal(driftfile_save(path, in, 2), RFS_ERR_OK);
	assert_int_equal(driftfile_load(path, 200000, out, 9), 2);
	assert_int_equal(out[0].node, 2);
	assert_int_equal(out[0].drift_ppb, -12345);
	assert_int_equal(out[1].node, 3);
	assert_int_equal(out[1].drift_ppb, 77);
	assert_int_equal(driftfile_save(path, in, 1), RFS_ERR_OK);
	assert_int_equal(driftfile_load(path, 200000, out, 9), 1);
}

static void no_file_is_no_rows(void **state)
{
	(void)state;
	struct driftfile_row out[9];

	assert_int_equal(driftfile_load(path, 200000, out, 9), 0);
}

static void another_file_is_left_alone(void **state)
{
	(void)state;
	struct driftfile_row out[9];

	write_file("2 100\n3 100\n");
	assert_int_equal(driftfile_load(path, 200000, out, 9), 0);
	write_file("");
	assert_int_equal(driftfile_load(path, 200000, out, 9), 0);
}

static void lines_that_make_no_sense_are_skipped(void **state)
{
	(void)state;
	struct driftfile_row out[9];

	write_file("raftfs-drift 1\n2 x\n\n3 100 more\n4 999999\n5 -42\n6");
	assert_int_equal(driftfile_load(path, 200000, out, 9), 1);
	assert_int_equal(out[0].node, 5);
	assert_int_equal(out[0].drift_ppb, -42);
}

static void more_rows_than_room_are_dropped(void **state)
{
	(void)state;
	struct driftfile_row out[2];

	write_file("raftfs-drift 1\n1 1\n2 2\n3 3\n");
	assert_int_equal(driftfile_load(path, 200000, out, 2), 2);
}

static void a_directory_that_is_gone_is_an_error(void **state)
{
	(void)state;
	const struct driftfile_row in[] = { { 2, 1 } };

	assert_int_equal(driftfile_save("/nonexistent/drift", in, 1),
			 RFS_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		IN_DIR(what_was_saved_is_loaded),
		IN_DIR(no_file_is_no_rows),
		IN_DIR(another_file_is_left_alone),
		IN_DIR(lines_that_make_no_sense_are_skipped),
		IN_DIR(more_rows_than_room_are_dropped),
		IN_DIR(a_directory_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
