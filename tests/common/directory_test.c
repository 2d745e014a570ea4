/* The directory of a path is found and synced, or the reason is told. */
#include "common/os/directory.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_directory_need_only_exist(void **state)
{
	(void)state;
	assert_int_equal(directory_sync_of("/tmp/no-such-file"), 0);
	assert_int_equal(directory_sync_of("no-such-file"), 0);
}

static void what_is_no_directory_is_told(void **state)
{
	(void)state;
	assert_int_equal(directory_sync_of("/no-such-directory/file"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(directory_sync_of("/etc/passwd/file"), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void a_path_too_long_is_never_cut(void **state)
{
	char path[PATH_MAX + 1];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(directory_sync_of(path), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_need_only_exist),
		cmocka_unit_test(what_is_no_directory_is_told),
		cmocka_unit_test(a_path_too_long_is_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
