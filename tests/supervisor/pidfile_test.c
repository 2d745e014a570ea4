/* The pid file: one holder, and none left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/pidfile.h"

static char dir[32];
static char path[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/raftfs-pid-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/supervisor.pid", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int pid_in_file(void)
{
	char text[32] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	return atoi(text);
}

static void the_second_is_refused_until_the_first_is_gone(void **state)
{
	int first;
	int second = -1;

	(void)state;
	assert_int_equal(pidfile_take(path, &first), RFS_ERR_OK);
	assert_int_equal(pid_in_file(), getpid());
	assert_int_equal(pidfile_take(path, &second), RFS_ERR_BUSY);
	assert_int_equal(second, -1);
	assert_int_equal(pid_in_file(), getpid());
	pidfile_drop(path, first);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pidfile_take(path, &second), RFS_ERR_OK);
	pidfile_drop(path, second);
}

/* What a killed supervisor leaves: a file, and no lock on it. */
static void a_stale_file_is_no_obstacle(void **state)
{
	FILE *file = fopen(path, "w");
	int fd;

	(void)state;
	assert_non_null(file);
	fputs("1234567890123456789\n", file);
	fclose(file);
	assert_int_equal(pidfile_take(path, &fd), RFS_ERR_OK);
	assert_int_equal(pid_in_file(), getpid());
	pidfile_drop(path, fd);
}

static void a_symlink_is_not_followed(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(pidfile_take(path, &fd), RFS_ERR_IO);
}

int main(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		PLACED(the_second_is_refused_until_the_first_is_gone),
		PLACED(a_stale_file_is_no_obstacle),
		PLACED(a_symlink_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
