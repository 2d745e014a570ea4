/* The epoch file: comes back as it went, and nonsense is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "timesyncd/epochfile.h"

static char dir[32];
static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/epochfile.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/epoch", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir); /* nothing else was left in it */
}

static void a_number_comes_back_as_it_went(void **state)
{
	(void)state;
	assert_int_equal(epochfile_load(path), 0);
	assert_int_equal(epochfile_save(path, 108800000033), RFS_ERR_OK);
	assert_int_equal(epochfile_load(path), 108800000033);
	assert_int_equal(epochfile_save(path, UINT64_MAX), RFS_ERR_OK);
	assert_true(epochfile_load(path) == UINT64_MAX);
}

static void what_is_not_one_is_left_out(void **state)
{
	static const char *const texts[] = {
		"", "raftfs-epoch 1\n", "raftfs-epoch 2\n77\n",
		"raftfs-epoch 1\n77", "raftfs-epoch 1\n77\nmore\n",
		"raftfs-epoch 1\n-77\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fputs(texts[i], out);
		fclose(out);
		assert_int_equal(epochfile_load(path), 0);
	}
}

static void without_a_directory_saving_fails(void **state)
{
	(void)state;
	assert_int_equal(epochfile_save("/nowhere/at/all/epoch", 1),
			 RFS_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_number_comes_back_as_it_went,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_one_is_left_out,
						set_up, tear_down),
		cmocka_unit_test(without_a_directory_saving_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
