/* Cgroups: directories of our own, killed and removed; or one line why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/cgroups.h"
#include "supervisor/spawn.h"

static const char *const names[ORDER_CHILDREN] = { "a", "b", "c", "d" };
static char self[32];

static int set_up(void **state)
{
	(void)state;
	snprintf(self, sizeof(self), "test-%d", (int)getpid());
	return 0;
}

/* False where there is no cgroup2 to be had: then that must have been said. */
static bool open_groups(struct cgroups *groups)
{
	cgroups_open(groups, self, names);
	assert_int_equal(groups->path[0] == '\0', groups->warning[0] != '\0');
	return groups->path[0] != '\0';
}

static void directories_come_and_go(void **state)
{
	struct cgroups groups;
	char path[1100];

	(void)state;
	if (open_groups(&groups)) {
		snprintf(path, sizeof(path), "%s/c/cgroup.procs", groups.path);
		assert_int_equal(access(path, F_OK), 0);
	}
	cgroups_close(&groups, names);
	if (groups.path[0] != '\0')
		assert_int_equal(access(groups.path, F_OK), -1);
}

static void two_nodes_of_one_name_do_not_share(void **state)
{
	struct cgroups first;
	struct cgroups second;

	(void)state;
	if (open_groups(&first) && open_groups(&second)) {
		assert_string_not_equal(first.path, second.path);
		assert_true(second.fd[ORDER_RAFTD] >= 0);
		cgroups_close(&second, names);
		assert_int_equal(access(first.path, F_OK), 0);
	}
	cgroups_close(&first, names);
}

/* A supervisor killed while it had the second directory leaves it; the next
 * node of that name clears it away. */
static void what_a_killed_supervisor_left_is_swept(void **state)
{
	struct cgroups first;
	struct cgroups next;
	char left[1100];
	pid_t pid;

	(void)state;
	if (!open_groups(&first))
		skip();
	pid = fork();
	if (pid == 0) {
		cgroups_open(&next, self, names);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(left, sizeof(left), "%s-%d", first.path, (int)pid);
	assert_int_equal(access(left, F_OK), 0);
	assert_true(open_groups(&next));
	assert_int_equal(access(left, F_OK), -1);
	cgroups_close(&next, names);
	cgroups_close(&first, names);
}

/* Who is born there later is not killed with those before. */
static void expect_a_child_lives(const struct cgroups *groups)
{
	const char *const argv[] = { "sh", "-c", "sleep 0.05; exit 7", NULL };
	const struct spawn spawn = { .path = "/bin/sh",
				     .argv = argv,
				     .user = "",
				     .channel_fd = -1,
				     .cgroup_fd = groups->fd[ORDER_RAFTD] };
	int status, pidfd;
	pid_t pid;

	assert_int_equal(spawn_child(&spawn, &pid, &pidfd), RFS_ERR_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	close(pidfd);
}

static void killing_takes_all_a_child_started(void **state)
{
	const char *const argv[] = { "sh", "-c", "sleep 1000 & echo; wait",
				     NULL };
	struct spawn spawn = {
		.path = "/bin/sh", .argv = argv, .user = "", .channel_fd = -1
	};
	struct pollfd done = { .events = POLLIN };
	struct cgroups groups;
	pid_t pid;

	(void)state;
	if (!open_groups(&groups))
		skip();
	spawn.cgroup_fd = groups.fd[ORDER_RAFTD];
	assert_int_equal(spawn_child(&spawn, &pid, &done.fd), RFS_ERR_OK);
	usleep(50000); /* its own child is there, or about to be: both die */
	cgroups_kill(&groups, ORDER_TIMESYNCD); /* not its */
	assert_int_equal(poll(&done, 1, 100), 0);
	cgroups_kill(&groups, ORDER_RAFTD);
	assert_int_equal(poll(&done, 1, 10000), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(done.fd);
	expect_a_child_lives(&groups);
	/* The directory can be removed once nobody is left in it. */
	for (int i = 0; i < 1000 && access(groups.path, F_OK) == 0; i++) {
		cgroups_close(&groups, names);
		if (access(groups.path, F_OK) == 0) {
			usleep(10000);
			cgroups_open(&groups, self, names);
		}
	}
	assert_int_equal(access(groups.path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_come_and_go),
		cmocka_unit_test(two_nodes_of_one_name_do_not_share),
		cmocka_unit_test(what_a_killed_supervisor_left_is_swept),
		cmocka_unit_test(killing_takes_all_a_child_started),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
